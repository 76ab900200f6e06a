"use strict";

// Sort the rows of each group by a column: numbers by value, words by letters, what is missing last.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const column = head.cellIndex;
    const falling = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return "value" in cell.dataset ? Number(cell.dataset.value) : head.className === "words" ? cell.textContent : null;
    };
    for (const body of document.querySelectorAll("tbody")) {
      const rows = [...body.rows].filter((row) => row.className !== "group");
      rows.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return falling ? -order : order;
      });
      body.append(...rows);
    }
  });
}

// The figures take their colours from the page, in light and in dark.
const dark = matchMedia("(prefers-color-scheme: dark)");
const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const [ink, rule] = ["--ink", "--rule"].map((name) => style.getPropertyValue(name).trim());
  const axis = (name) => ({ [`${name}.gridcolor`]: rule, [`${name}.linecolor`]: rule, [`${name}.zerolinecolor`]: rule });
  return { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": ink, ...axis("xaxis"), ...axis("yaxis") };
};
const plots = [...document.querySelectorAll(".plot")];
const drawn = plots.map((plot) => {
  const figure = JSON.parse(plot.querySelector("script").textContent);
  // Dollars in a name are dollars.
  const options = { responsive: true, displaylogo: false, typesetMath: false };
  return Plotly.newPlot(plot, figure.data, figure.layout, options).then(() => Plotly.relayout(plot, colours()));
});
dark.addEventListener("change", () => plots.forEach((plot) => Plotly.relayout(plot, colours())));
Promise.all(drawn).then(() => { document.documentElement.dataset.drawn = drawn.length; });
