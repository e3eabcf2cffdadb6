(function () {
  "use strict";
  var root = document.documentElement;
  var peek = document.getElementById("peek");
  var said = document.getElementById("said");
  root.classList.add("js");

  function each(selector, act) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), act);
  }

  /* What stands on the page may be replaced: events are heard by the document. */
  function on(event, selector, act) {
    document.addEventListener(event, function (e) {
      var found = e.target.closest && e.target.closest(selector);
      if (found) { act(found, e); }
    });
  }

  /* Light and dark: the reader's choice, kept where the browser lets us. */
  var theme = document.getElementById("theme");
  var prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : prefersDark.matches;
  }
  function showTheme() { theme.setAttribute("aria-pressed", String(isDark())); }
  function keep(value) { try { localStorage.setItem("symbackprop-theme", value); } catch (_) { /* not allowed here */ } }
  function kept() { try { return localStorage.getItem("symbackprop-theme"); } catch (_) { return null; } }
  if (kept() === "dark" || kept() === "light") { root.setAttribute("data-theme", kept()); }
  theme.addEventListener("click", function () {
    root.setAttribute("data-theme", isDark() ? "light" : "dark");
    keep(root.getAttribute("data-theme"));
    showTheme();
  });
  prefersDark.addEventListener("change", showTheme);
  showTheme();

  /* Steps: all open, all closed; a link into a closed step opens it; on paper all are open. */
  function setAll(open) { each("details.step", function (d) { d.open = open; }); }
  on("click", "#open-all", function () { setAll(true); });
  on("click", "#close-all", function () { setAll(false); });
  function openTarget() {
    var target = document.getElementById(location.hash.slice(1)); // our anchors are plain letters: nothing is escaped
    if (target && target.tagName === "DETAILS") { target.open = true; }
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.prototype.slice.call(document.querySelectorAll("details:not([open])"));
    closed.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { closed.forEach(function (d) { d.open = false; }); });

  /* The graph as a whole, or as large as it is. */
  each(".canvas", function (canvas) { canvas.scrollLeft = (canvas.scrollWidth - canvas.clientWidth) / 2; });
  on("click", "#fit", function (fit) {
    var whole = fit.getAttribute("aria-pressed") !== "true";
    fit.setAttribute("aria-pressed", String(whole));
    document.querySelector(".graph").classList.toggle("whole", whole);
  });

  /* What scrolls sideways is reached by the keyboard too; it is measured when it comes into sight. */
  var inView = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      var wide = entry.target;
      if (entry.isIntersecting && wide.scrollWidth > wide.clientWidth) { wide.tabIndex = 0; }
    });
  });
  function reach() {
    inView.disconnect();
    each(".body, .right, .step-title", function (part) { inView.observe(part); });
  }
  each(".text", function (part) { new MutationObserver(reach).observe(part, { childList: true }); });
  reach();

  /* Copying LaTeX. */
  function fallback(text) {
    var area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
  }
  function copy(text) {
    if (!navigator.clipboard) { return fallback(text); }
    return navigator.clipboard.writeText(text).catch(function () { return fallback(text); });
  }
  on("click", "button[data-latex]", function (button) {
    copy(button.getAttribute("data-latex")).then(function () {
      button.classList.add("copied");
      said.textContent = "LaTeX copied";
      setTimeout(function () { button.classList.remove("copied"); said.textContent = ""; }, 1600);
    }, function () { said.textContent = "The browser does not allow copying here"; });
  });

  /* Where was this computed? Hovering or focusing a reference marks the place, in the text and in the graph, and shows
     it beside the reference when it is out of sight. */
  var marked = [];
  var shown = null;
  function mark(element, name) { if (element) { element.classList.add(name); marked.push([element, name]); } }
  function clear() {
    marked.forEach(function (m) { m[0].classList.remove(m[1]); });
    marked = [];
    shown = null;
    peek.hidden = true;
  }
  function anchorsOf(link) {
    return [link.getAttribute("href").slice(1), link.getAttribute("data-step")].filter(Boolean);
  }
  function inSight(element) {
    var box = element.getBoundingClientRect();
    return box.bottom > 40 && box.top < window.innerHeight - 40;
  }
  function show(link) {
    clear();
    var anchors = anchorsOf(link);
    each("a[href^='#'].ref, a.g-node", function (other) {
      var same = anchorsOf(other).some(function (a) { return anchors.indexOf(a) >= 0; });
      if (same && other !== link) { mark(other, "is-same"); }
      if (same && other !== link && other.classList.contains("g-node")) { bring(other); }
    });
    anchors.forEach(function (anchor) { mark(document.getElementById(anchor), "is-source"); });
    preview(link, document.getElementById(anchors[0]));
  }
  function bring(node) {
    var canvas = node.closest(".canvas");
    var outer = canvas.getBoundingClientRect();
    var inner = node.getBoundingClientRect();
    if (inner.left < outer.left || inner.right > outer.right) {
      canvas.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
    }
    if (inner.top < outer.top || inner.bottom > outer.bottom) {
      canvas.scrollTop += inner.top + inner.height / 2 - outer.top - outer.height / 2;
    }
  }
  function preview(link, source) {
    var line = source && (source.querySelector(".kind-result .body") || source.querySelector(".body"));
    if (!line || link.classList.contains("g-node")) { return; }
    peek.textContent = "";
    var label = document.createElement("span");
    label.className = "peek-label";
    label.textContent = source.getAttribute("data-peek");
    peek.appendChild(label);
    peek.appendChild(line.cloneNode(true));
    each("#peek a", function (a) { a.removeAttribute("href"); a.removeAttribute("title"); });
    shown = { link: link, source: source };
    place();
  }
  function place() {
    if (!shown) { return; }
    peek.hidden = inSight(shown.source);
    var box = shown.link.getBoundingClientRect();
    var left = Math.max(8, Math.min(box.left, window.innerWidth - peek.offsetWidth - 8));
    var above = box.top - peek.offsetHeight - 8;
    peek.style.left = left + "px";
    peek.style.top = (above > 8 ? above : box.bottom + 8) + "px";
  }
  var LINKS = "a.ref, a.g-node, .jump a";
  function leave(link, event) {
    if (!event.relatedTarget || !link.contains(event.relatedTarget)) { clear(); }
  }
  on("mouseover", LINKS, function (link, event) {
    if (!event.relatedTarget || !link.contains(event.relatedTarget)) { show(link); }
  });
  on("mouseout", LINKS, leave);
  on("focusin", LINKS, show);
  on("focusout", LINKS, leave);
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") { clear(); } });
  window.addEventListener("scroll", place, { passive: true });
  window.addEventListener("resize", place);
})();
