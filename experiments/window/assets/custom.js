// Shared by all views of the page: colour scheme, number formats, drawing, and the chart library.
window.asara = (() => {
  const KEPT = "asara.theme";
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;

  function kept() {
    try {
      return window.localStorage.getItem(KEPT);
    } catch {
      return null; // a browser without local storage
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
  // Formats a number: up to four digits, thousands separators, powers of ten for large numbers.
  function figure(value) {
    const size = Math.abs(value);
    if (size >= 1e7) {
      const [head, power] = value.toExponential(1).replace(".0e+", "e+").split("e+");
      return (head === "1" ? "" : `${head}×`) + `10${raised(power)}`;
    }
    if (size >= 1000 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
    return String(Number(value.toPrecision(3)));
  }
  // Formats doublings as a factor: ×8, ×1.3×10⁹.
  function factor(doublings) {
    return `×${figure(2 ** doublings)}`;
  }
  function raised(power) {
    return String(power).replace(/./g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  }

  // Calls `draw` on each change of the colours or of the size of an element; returns a function that stops it.
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
  // Clears a canvas, gives it the size of an element, and returns its context in CSS pixels.
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
