// Charts: each element with data-chart holds its description as JSON; it is drawn anew when the theme or the size changes.
const root = document.documentElement;
const drawn = new Map(); // element -> chart
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// Told apart by every common kind of colour blindness, and the same in both themes.
const TONES = { good: "#009e73", middle: "#7f8896", bad: "#d55e00", plain: "#0a7cc2" };

// light-dark() is no colour for a canvas: let the browser resolve it.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
function ink(name) {
  probe.className = `ink-probe-${name}`;
  return getComputedStyle(probe).color;
}

const number = (value, digits = 0) => new Intl.NumberFormat(root.lang, { maximumFractionDigits: digits }).format(value);
function figure(value, unit) {
  if (value === null || value === undefined) return "–";
  const text = number(Math.abs(value), 1);
  if (unit === "percent") return `${text} %`;
  return (value < 0 ? "−" : value > 0 ? "+" : "") + text;
}

function common() {
  return {
    animation: !calm.matches,
    animationDuration: 150,
    animationDurationUpdate: 150,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink("soft"), fontSize: document.querySelector(".wallboard") ? 16 : 12 },
    aria: { enabled: false },
  };
}

function tooltip(formatter, trigger) {
  return {
    trigger, formatter, renderMode: "richText", confine: true, transitionDuration: 0,
    backgroundColor: ink("raised"), borderColor: ink("line"), borderWidth: 1, padding: 10,
    textStyle: { color: ink("text"), fontSize: 13, lineHeight: 20 },
    axisPointer: { type: trigger === "axis" ? "line" : "none", lineStyle: { color: ink("soft"), type: "dashed" } },
  };
}

function axes(spec, yAxis) {
  return {
    grid: { left: 8, right: 16, top: 16, bottom: 4, containLabel: true },
    xAxis: { type: "category", data: spec.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: ink("line") }, onZero: false }, axisLabel: { color: ink("soft"), hideOverlap: true } },
    yAxis: { type: "value", axisLabel: { color: ink("soft"), formatter: (value) => (value < 0 ? `−${number(-value)}` : number(value)) }, splitLine: { lineStyle: { color: ink("line") } }, ...yAxis },
  };
}

function trend(spec) {
  const { words } = spec;
  const percent = spec.unit === "percent";
  const known = spec.values.filter((v) => v !== null);
  const floor = Math.max(-100, Math.floor(Math.min(0, ...spec.low.filter((v) => v !== null)) / 20) * 20);
  const ceiling = Math.min(100, Math.ceil(Math.max(20, ...spec.high.filter((v) => v !== null)) / 20) * 20);
  const gaps = known.length < spec.values.length;
  const line = TONES.plain;
  const width = spec.low.map((low, i) => (low === null ? null : spec.high[i] - low));
  const words95 = (i) => `${figure(spec.low[i], spec.unit)} … ${figure(spec.high[i], spec.unit)}`;
  return {
    ...common(),
    ...axes(spec, percent ? { min: 0, max: 100 } : { min: floor, max: ceiling }),
    tooltip: tooltip(([first]) => {
      const i = first.dataIndex;
      const head = `${spec.labels[i]}\n`;
      if (spec.values[i] === null) return `${head}${words.n}: 0`;
      const few = spec.n[i] < 30 ? ` (${words.few})` : "";
      return `${head}${words.value}: ${figure(spec.values[i], spec.unit)}\n${words.interval}: ${words95(i)}\n${words.n}: ${number(spec.n[i])}${few}`;
    }, "axis"),
    series: [
      { type: "line", data: spec.low, stack: "band", stackStrategy: "all", symbol: "none", lineStyle: { opacity: 0 }, silent: true, emphasis: { disabled: true } },
      { type: "line", data: width, stack: "band", stackStrategy: "all", symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: line, opacity: 0.18 }, silent: true, emphasis: { disabled: true } },
      { type: "line", data: spec.values, color: line, lineStyle: { width: 2 }, symbol: "circle", symbolSize: 6, showSymbol: gaps || known.length < 20, emphasis: { disabled: true } },
    ],
  };
}

function bars(spec) {
  const { words } = spec;
  return {
    ...common(),
    ...axes(spec, { min: 0, minInterval: 1 }),
    tooltip: tooltip(({ dataIndex: i }) => `${words.answer} ${spec.labels[i]}\n${words.n}: ${number(spec.values[i])}\n${words.share}: ${number(spec.shares[i], 1)} %`, "item"),
    series: [{
      type: "bar", barCategoryGap: "24%",
      data: spec.values.map((value, i) => ({ value, itemStyle: { color: TONES[spec.tones[i]], borderRadius: [3, 3, 0, 0] } })),
      label: { show: true, position: "top", color: ink("soft"), fontSize: 11, formatter: ({ dataIndex: i }) => (spec.values[i] ? `${number(spec.shares[i])} %` : "") },
      emphasis: { disabled: true },
    }],
  };
}

function gauge(spec, { clientWidth: width, clientHeight: height }) {
  const radius = Math.max(40, Math.min(width / 2 - 2, height * 0.8));
  const has = spec.value !== null;
  const at = (value) => (value + 100) / 200;
  const track = ink("track");
  const stops = has ? [[at(spec.low), track], [Math.max(at(spec.high), at(spec.low) + 0.01), TONES.plain], [1, track]] : [[1, track]];
  return {
    ...common(),
    series: [{
      type: "gauge", min: -100, max: 100, startAngle: 180, endAngle: 0, radius, center: ["50%", "84%"], splitNumber: 4, silent: true,
      axisLine: { lineStyle: { width: 16, color: stops } },
      axisTick: { show: false },
      splitLine: { length: 16, distance: -16, lineStyle: { color: ink("surface"), width: 2 } },
      axisLabel: { distance: 22, color: ink("soft"), fontSize: 11, formatter: (value) => (value < 0 ? `−${-value}` : value > 0 ? `+${value}` : "0") },
      pointer: { show: has, icon: "roundRect", length: "20%", width: 5, offsetCenter: [0, "-86%"], itemStyle: { color: ink("text"), borderColor: ink("surface"), borderWidth: 1 } },
      anchor: { show: false }, detail: { show: false }, title: { show: false },
      data: has ? [{ value: spec.value }] : [],
    }],
  };
}

function line(spec) {
  const { words } = spec;
  return {
    ...common(),
    ...axes(spec, { min: 0, minInterval: 1 }),
    tooltip: tooltip(([{ dataIndex: i }]) => `${spec.labels[i]}\n${words.value}: ${number(spec.values[i])}\n${words.n}: ${number(spec.n[i])}`, "axis"),
    series: [{ type: "line", data: spec.values, color: TONES.plain, lineStyle: { width: 2 }, symbol: "circle", symbolSize: 6, showSymbol: spec.values.length < 40, emphasis: { disabled: true } }],
  };
}

const KINDS = { trend, bars, gauge, line };

function draw(element) {
  if (!window.echarts || !element.isConnected) return;
  const spec = JSON.parse(element.dataset.chart);
  let chart = drawn.get(element);
  if (!chart) {
    chart = window.echarts.init(element, null, { renderer: "canvas" });
    drawn.set(element, chart);
    sizes.observe(element);
  }
  chart.setOption(KINDS[spec.type](spec, element), true);
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    drawn.get(target)?.resize();
    if (target.matches(".gauge-canvas")) draw(target); // its radius is in pixels
  }
});

function forget() {
  for (const [element, chart] of drawn) {
    if (element.isConnected) continue;
    sizes.unobserve(element);
    chart.dispose();
    drawn.delete(element);
  }
}

function drawAll(from = document) {
  forget();
  for (const element of from.querySelectorAll("[data-chart]")) draw(element);
}

// An open table and the scroll of the page survive a refresh.
const opened = new Set();
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  opened.clear();
  for (const table of detail.target.querySelectorAll?.("details[open]") ?? []) opened.add(table.closest(".board-part")?.id);
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  for (const id of opened) document.querySelector(`#${id} details`)?.setAttribute("open", "");
  drawAll(detail.elt);
});
new MutationObserver(() => drawAll()).observe(root, { attributes: true, attributeFilter: ["data-bs-theme"] });
calm.addEventListener("change", () => drawAll());

// --- refresh, only while somebody looks ---------------------------------------------------------------
let last = Date.now();
setInterval(() => {
  const seconds = Number(document.querySelector("[data-refresh-seconds]")?.dataset.refreshSeconds ?? 0);
  if (!seconds || document.visibilityState !== "visible" || Date.now() - last < seconds * 1000) return;
  last = Date.now();
  document.body.dispatchEvent(new CustomEvent("experience"));
}, 1000);

// A date that only mirrors the preset is not sent, until somebody changes it.
document.addEventListener("change", ({ target }) => {
  if (target.matches?.(".experience-filters input[type=date]")) {
    for (const input of target.form.querySelectorAll("input[type=date]")) input.dataset.default = "";
  }
}, true);
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (!detail.elt.matches(".experience-filters")) return;
  for (const input of detail.elt.querySelectorAll("input[type=date][data-default='1']")) delete detail.parameters[input.name];
});

document.addEventListener("click", ({ target }) => {
  if (!target.closest?.("[data-fullscreen]")) return;
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen?.();
});

drawAll();
