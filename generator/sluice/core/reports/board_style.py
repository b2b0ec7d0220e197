"""How the board looks: light or dark as the reader's system is, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6475; --line: #d9dee7;
  --ground: #f6f7f9; --card: #ffffff; --mark: #3b5bdb; --good: #2b8a3e; --warn: #b35c00;
  --bad: #c92a2a; --other: #868e96; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a3adbd; --line: #333b49;
  --ground: #12161d; --card: #1a202a; --mark: #91a7ff; --good: #69db7c; --warn: #ffa94d;
  --bad: #ff8787; --other: #868e96; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0 0 .25rem; font-size: 1.7rem; letter-spacing: -.01em; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; }
h3 { margin: 0 0 .25rem; font-size: 1rem; }
p { margin: .25rem 0; }
a { color: var(--mark); text-decoration-thickness: .08em; text-underline-offset: .15em; }
.soft, caption, dt { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; padding: 0; }
.tile { min-width: 9rem; padding: .75rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; }
.tile dt { font-size: .85rem; }
.tile dd { margin: 0; font-size: 1.5rem; font-weight: 600; }
.card { margin: 0 0 1rem; padding: 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; }
table { width: 100%; border-collapse: collapse; }
caption { padding: .6rem .9rem; text-align: left; font-size: .9rem; }
th, td { padding: .5rem .9rem; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
thead th { color: var(--soft); font-size: .85rem; font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 10rem; }
.none { color: var(--other); }
.badge { display: inline-block; padding: 0 .5em; border: 1px solid currentColor;
  border-radius: 1em; font-size: .8rem; white-space: nowrap; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.mark { color: var(--mark); }
.note { font-size: .85rem; }
.facts { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 0 0 1rem; }
.facts dt { font-size: .85rem; } .facts dd { margin: 0; }
svg { display: block; max-width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.back { fill: var(--line); } .fill { fill: var(--mark); } .over { fill: var(--bad); }
.up { fill: var(--good); } .down { fill: var(--bad); }
.tick, .axis { stroke: var(--soft); stroke-width: 1; }
.candidate, .stable { fill: none; stroke-width: 2; stroke-linejoin: round; }
.candidate { stroke: var(--mark); } .stable { stroke: var(--other); stroke-dasharray: 4 3; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb;
  --ground: #fff; --card: #fff; --mark: #1c3fa8; } body { padding: 0; font-size: 10pt; }
  .card, tr, .tile { break-inside: avoid; } .wide { overflow: visible; }
  * { print-color-adjust: exact; } a { color: inherit; } }
"""
