// Selects above the table of all claims: rows by package, verdict and tier.
document$.subscribe(() => {
  const table = [...document.querySelectorAll("article table")].find(
    (candidate) => candidate.tHead?.rows[0]?.cells[4]?.textContent === "verdict",
  );
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const columns = { package: 0, verdict: 4, tier: 5 };
  const value = (row, column) => row.cells[column].textContent.replace("(stale)", "").trim();
  const count = document.createElement("output");
  const selects = Object.entries(columns).map(([name, column]) => {
    const select = document.createElement("select");
    const values = new Set(rows.map((row) => value(row, column)).filter(Boolean));
    select.add(new Option(`every ${name}`, ""));
    for (const text of values) select.add(new Option(text, text));
    select.setAttribute("aria-label", name);
    select.addEventListener("change", show);
    return [select, column];
  });
  function show() {
    for (const row of rows) {
      row.hidden = selects.some(([select, column]) => select.value && select.value !== value(row, column));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims`;
  }
  const line = document.createElement("p");
  for (const [select] of selects) line.append(select, " ");
  line.append(count);
  (table.closest(".md-typeset__scrollwrap") ?? table).before(line);
  show();
});
