// What all views of the window share: the colour scheme, figures in words, drawing, and the library that draws lines.
window.asara = (() => {
  const KEPT = "asara.theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function kept() {
    try {
      return window.localStorage.getItem(KEPT);
    } catch {
      return null; // a browser that keeps nothing
    }
  }
  function dark() {
    return root.dataset.theme === "dark";
  }
  function apply() {
    root.dataset.theme = (kept() ?? (system.matches ? "dark" : "light")) === "dark" ? "dark" : "light";
    window.dispatchEvent(new Event("asara-theme"));
  }
  function switchTheme() {
    const other = dark() ? "light" : "dark";
    try {
      window.localStorage.setItem(KEPT, other);
      apply();
    } catch {
      root.dataset.theme = other;
      window.dispatchEvent(new Event("asara-theme"));
    }
  }
  system.addEventListener("change", apply);
  apply();

  function colour(name) {
    return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  }
  // A figure for reading: up to four digits, thousands apart, powers of ten where it would be long.
  function figure(value) {
    const size = Math.abs(value);
    if (size >= 1e7) {
      const [head, power] = value.toExponential(1).replace(".0e+", "e+").split("e+");
      return (head === "1" ? "" : `${head}×`) + `10${raised(power)}`;
    }
    if (size >= 1000 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
    return String(Number(value.toPrecision(3)));
  }
  // Doublings as a factor: ×8, ×1.3×10⁹.
  function factor(doublings) {
    return `×${figure(2 ** doublings)}`;
  }
  function raised(power) {
    return String(power).replace(/./g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  }

  // Calls again whenever the colours or the size of a place change; returns what ends it.
  function redrawn(place, draw) {
    const again = () => draw();
    const size = new ResizeObserver(again);
    size.observe(place);
    window.addEventListener("asara-theme", again);
    return () => {
      size.disconnect();
      window.removeEventListener("asara-theme", again);
    };
  }
  // A pen on an empty canvas as large as a place, which counts in pixels of the page.
  function penOn(canvas, place) {
    const scale = window.devicePixelRatio || 1;
    canvas.width = place.clientWidth * scale;
    canvas.height = place.clientHeight * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    return pen;
  }

  let library;
  function lines() {
    library ??= new Promise((resolve, reject) =>
      window.requirejs([`${window.solara.cdn}/echarts@5.4.0/dist/echarts.min.js`], resolve, reject),
    );
    return library;
  }
  return { switchTheme, dark, colour, figure, factor, redrawn, penOn, lines };
})();
