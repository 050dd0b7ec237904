// Widgets that are no core widgets (anywidget) are modules beside require.js.
(() => {
  const root = document.documentElement.dataset.content_root;
  require.config({ baseUrl: new URL(`${root}_static/vendor`, document.baseURI).href });
})();
