// Live Code: turn the page's cells into editable ones, run by a kernel on mybinder.org.
// The theme's button calls initThebe. Nothing is loaded, and nobody is asked, before that.
(() => {
  const vendor = new URL(
    `${document.documentElement.dataset.content_root}_static/vendor/`,
    document.baseURI,
  );
  const messages = {
    launching: "Starting a machine on mybinder.org; the first start can take some minutes.",
    building: "mybinder.org is building the book's environment; this happens once.",
    "server-ready": "The machine is up; starting Python.",
    ready: "Ready. Change a cell and run it.",
    failed: "mybinder.org did not answer. Try again later, or open the chapter on Colab.",
  };

  let loading = null;
  const loadThebe = () =>
    (loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL("thebe/index.js", vendor).href;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    }));

  // thebe wants each cell's text marked, with its recorded output after it.
  const markCells = () => {
    for (const cell of document.querySelectorAll("div.cell")) {
      const text = cell.querySelector("div.cell_input pre");
      if (!text) continue;
      cell.querySelectorAll("button.copybtn").forEach((button) => button.remove());
      text.dataset.executable = "true";
      text.dataset.language = "python";
      const output = cell.querySelector("div.cell_output");
      if (output) {
        output.dataset.output = "";
        text.after(output);
      }
    }
  };

  const statusLine = () => {
    let line = document.querySelector(".thebe-launch-button");
    if (line?.tagName === "BUTTON") {
      const paragraph = document.createElement("p");
      paragraph.className = "thebe-launch-button live-code-status";
      paragraph.setAttribute("role", "status");
      line.replaceWith(paragraph);
      line = paragraph;
    }
    return line;
  };

  let started = false;
  window.initThebe = async () => {
    if (started) return;
    started = true;
    const line = statusLine();
    const say = (status) => {
      line.textContent = messages[status] ?? messages.launching;
    };
    say("launching");
    try {
      await loadThebe();
      window.thebe.on("status", (event, data) => say(data.status));
      markCells();
      await window.thebe.bootstrap(
        JSON.parse(document.querySelector('script[type="text/x-thebe-config"]').textContent),
      );
    } catch {
      say("failed");
    }
  };
})();
