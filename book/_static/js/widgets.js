// Between require.js and the widget manager, on pages with widgets.
(() => {
  // Widgets that are no core widgets (anywidget) are modules beside require.js.
  const root = document.documentElement.dataset.content_root;
  require.config({ baseUrl: new URL(`${root}_static/vendor`, document.baseURI).href });

  // Core widgets set the formulas in their labels through MathJax 2; the book has MathJax 3.
  const hub = { Queue: ([, , element]) => window.MathJax.typesetPromise?.([element]) };
  let held = window.MathJax;
  Object.defineProperty(window, "MathJax", {
    configurable: true,
    get: () => held && Object.assign(held, { Hub: hub }),
    set: (value) => { held = value; },
  });
})();
