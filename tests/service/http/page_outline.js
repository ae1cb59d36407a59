// What stands where, a line for each card and heading, in twelfths of the width: the page's reference.
() => [...document.querySelectorAll("main :is(h1, .card, .notice, details.calls)")].filter((e) => e.checkVisibility() && (e.tagName === "H1" || !e.parentElement.closest(".card, .notice"))).map((e) => {
  const box = e.getBoundingClientRect(), twelfth = (x) => Math.round((12 * x) / document.documentElement.clientWidth);
  const named = e.tagName === "H1" ? e : e.querySelector(e.matches(".tile") ? "span" : "h2, summary, p, label");
  const name = named?.innerText.split("\n")[0].replace(/[\d.,:]+/g, "#").replace(/(?<=Because you liked).*/, "") ?? e.className;
  return `${name} [${twelfth(box.left)}-${twelfth(box.right)}]`;
})
