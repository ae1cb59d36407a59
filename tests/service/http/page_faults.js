// What is wrong with the layout of the page that is shown, as sentences: nothing of it depends on pixels or fonts.
(width) => {
  const faults = new Set(), shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const words = (text) => JSON.stringify(text.trim().replace(/\s+/g, " ").slice(0, 40));
  const hidden = (e) => { for (let p = e; p; p = p.parentElement) if (p.matches(".skip, [aria-hidden=true], option") || getComputedStyle(p).clipPath !== "none") return true; return false; };
  const scrolls = (e) => { for (let p = e; p; p = p.parentElement) if (/auto|scroll/.test(getComputedStyle(p).overflowX)) return p; return null; };

  if (document.documentElement.scrollWidth > width) faults.add(`the page is ${document.documentElement.scrollWidth} wide`);

  // Tables that were meant to scroll must not have to, at the widths that people have; the bar may.
  for (const e of document.querySelectorAll("main *")) if (shown(e) && e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tagName !== "CODE") faults.add(`${e.tagName.toLowerCase()}.${e.className} hides ${e.scrollWidth - e.clientWidth} px at its right`);

  // Each text with its boxes.
  const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, e = node.parentElement;
    if (!node.data.trim() || !shown(e) || hidden(e) || e.closest("dialog, [hidden]")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    // Of what is shortened by an ellipsis the part counts that is left.
    const shortened = (p) => p && (getComputedStyle(p).textOverflow === "ellipsis" ? p : shortened(p.parentElement));
    const edge = shortened(e)?.getBoundingClientRect().right ?? Infinity;
    const boxes = [...range.getClientRects()].map((b) => new DOMRect(b.x, b.y, Math.min(b.right, edge) - b.x, b.height)).filter((b) => b.width > 1 && b.height > 1);
    if (boxes.length) texts.push({ node, e, boxes, range });
  }

  for (const { node, e, boxes, range } of texts) {
    // Words of a usual length stand on one line.
    for (const found of node.data.matchAll(/[\p{L}\p{N}]{2,14}/gu)) {
      range.setStart(node, found.index);
      range.setEnd(node, found.index + found[0].length);
      const lines = new Set([...range.getClientRects()].filter((b) => b.width > 0).map((b) => Math.round(b.top)));
      if (lines.size > 1 && !/\p{Script=Han}|\p{Script=Hiragana}/u.test(found[0])) faults.add(`the word ${words(found[0])} of ${words(node.data)} is broken`);
    }
    // A text isn't a column of slivers.
    if (boxes.length > 8 && Math.max(...boxes.map((b) => b.width)) < 90) faults.add(`${words(node.data)} is ${boxes.length} lines of less than 90 px`);
    if (/\d{3,} (hour|minute)s ago/.test(node.data)) faults.add(`${words(node.data)} counts what nobody counts`);
    // It is large enough to read, drawings too.
    if (boxes[0].height < 11) faults.add(`${words(node.data)} is ${boxes[0].height.toFixed(1)} px high`);
    if (scrolls(e)) continue;
    const card = e.closest(".card, .top, main")?.getBoundingClientRect();
    for (const b of boxes) if (b.left < card.left - 1 || b.right > card.right + 1) { faults.add(`${words(node.data)} leaves its card`); break; }
    for (let p = e; p && p !== document.body; p = p.parentElement) {
      const style = getComputedStyle(p);
      if (style.overflowX === "hidden" && !p.matches(".bar, .shares") && boxes.some((b) => b.right > p.getBoundingClientRect().right + 1)) faults.add(`${words(node.data)} is cut`);
    }
  }

  // No two texts, and no two things to press, lie on each other.
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  const flat = texts.filter(({ e }) => !e.closest(".top, .toast")).flatMap(({ node, boxes }) => boxes.map((box) => ({ node, box }))).sort((a, b) => a.box.top - b.box.top);
  for (let n = 0; n < flat.length; n++) for (let m = n + 1; m < flat.length && flat[m].box.top < flat[n].box.bottom; m++) if (flat[n].node !== flat[m].node && over(flat[n].box, flat[m].box)) faults.add(`${words(flat[n].node.data)} lies on ${words(flat[m].node.data)}`);
  const pressed = [...document.querySelectorAll("main :is(button, input, select, textarea, a, summary)")].filter((e) => shown(e) && !hidden(e)).map((e) => ({ e, box: e.getBoundingClientRect() }));
  pressed.forEach(({ e, box }, n) => {
    const name = words(e.getAttribute("aria-label") ?? e.innerText ?? e.id);
    if (e.tagName !== "A" && (box.width < 24 || box.height < 24) && e.tagName !== "SUMMARY") faults.add(`${name} is only ${Math.round(box.width)} by ${Math.round(box.height)} px`);
    for (const other of pressed.slice(n + 1)) if (over(box, other.box) && !e.contains(other.e)) faults.add(`${name} lies on ${words(other.e.getAttribute("aria-label") ?? other.e.innerText)}`);
  });

  // Each text against what lies under it, by WCAG's contrast.
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const rgba = (text) => {
    if (!colours.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      colours.set(text, [r, g, b, a / 255]);
    }
    return colours.get(text);
  };
  const on = ([r, g, b, a], under) => [r, g, b].map((v, n) => v * a + under[n] * (1 - a));
  const light = (c) => c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  for (const { node, e } of texts) {
    if (e.closest(":disabled, [aria-disabled=true], [aria-busy=true], .toast")) continue;
    const path = [];
    for (let p = e; p; p = p.parentElement) path.unshift(p);
    let under = [255, 255, 255], opacity = 1;
    for (const p of path) { const s = getComputedStyle(p); under = on(rgba(s.backgroundColor), under); opacity *= Number(s.opacity); }
    const style = getComputedStyle(e), svg = e instanceof SVGElement, ink = rgba(svg ? style.fill : style.color);
    const [one, other] = [light(on([ink[0], ink[1], ink[2], ink[3] * opacity], under)), light(under)];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < least) faults.add(`${words(node.data)} has a contrast of ${ratio.toFixed(1)}`);
  }
  return [...faults];
}
