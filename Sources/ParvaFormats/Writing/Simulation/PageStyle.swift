/// The look of the report: one sheet, light or dark as the reader's system is.
enum PageStyle {
  static let css = """
    :root { color-scheme: light dark; --paper: #f6f7f9; --card: #ffffff; --ink: #1c2733; --soft: #66727f; --rule: #e2e7ec;
      --blue: #2f6f9f; --red: #c8453b; --green: #2e8b62; --amber: #e0a52f; --orange: #dd7437; --track: #eef1f4; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #12171c; --card: #1a2129; --ink: #e4e9ee; --soft: #93a0ad; --rule: #2b3540;
        --blue: #5aa2d6; --red: #e8695f; --green: #4fb688; --amber: #e6b450; --orange: #e88a55; --track: #232c35; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
    main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 48px; }
    h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
    h2 { font-size: 18px; margin: 0 0 4px; }
    p { margin: 0 0 12px; color: var(--soft); }
    p b { color: var(--ink); font-weight: 600; }
    section { margin-top: 24px; background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
      padding: 18px 20px; }
    .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 14px; background: none;
      border: 0; padding: 0; }
    .tile { background: var(--card); border: 1px solid var(--rule); border-top: 3px solid var(--blue);
      border-radius: 10px; padding: 12px 16px; }
    .tile span { display: block; color: var(--soft); font-size: 13px; }
    .tile strong { display: block; font-size: 26px; line-height: 1.25; font-variant-numeric: tabular-nums; }
    .tile small { color: var(--soft); overflow-wrap: anywhere; }
    .tile.good { border-top-color: var(--green); } .tile.bad { border-top-color: var(--red); }
    .tile.bad strong { color: var(--red); }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
    td, th { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
    th { text-align: left; font-weight: 600; }
    thead td, thead th { color: var(--soft); font-weight: 500; }
    tbody tr:last-child td, tbody tr:last-child th { border-bottom: 0; }
    td.over { color: var(--red); }
    td.attainment { position: relative; min-width: 110px; }
    td.attainment i { position: absolute; left: 6px; bottom: 5px; top: 5px; border-radius: 3px; opacity: 0.22;
      max-width: calc(100% - 12px); background: var(--green); }
    td.attainment.bad i { background: var(--red); }
    td.attainment span { position: relative; } td.attainment.bad span { color: var(--red); font-weight: 600; }
    .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 16px; }
    figure { margin: 0; border: 1px solid var(--rule); border-radius: 8px; padding: 10px 12px 6px; }
    figcaption { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; }
    figcaption span { font-weight: 600; font-variant-numeric: tabular-nums; }
    figcaption small { color: var(--soft); flex-basis: 100%; font-variant-numeric: tabular-nums; }
    span.good { color: var(--green); } span.bad { color: var(--red); }
    svg { display: block; width: 100%; height: auto; font-size: 11px; }
    svg text { fill: var(--ink); } svg .tick, svg .mark-label { fill: var(--soft); }
    svg .figure { font-variant-numeric: tabular-nums; fill: var(--soft); }
    .bar { fill: var(--blue); } .late { fill: var(--red); }
    .grid { stroke: var(--rule); } .axis { stroke: var(--soft); }
    .slo { stroke: var(--red); stroke-width: 1.5; stroke-dasharray: 4 3; }
    svg .slo-label { fill: var(--red); font-weight: 600; }
    .mark { stroke: var(--soft); stroke-dasharray: 3 3; }
    .track { fill: var(--track); }
    .load { fill: var(--blue); }
    .g0 { fill: var(--green); } .g1 { fill: var(--amber); } .g2 { fill: var(--orange); } .g3 { fill: var(--red); }
    i.key { display: inline-block; width: 12px; height: 12px; border-radius: 2px; vertical-align: -1px; }
    i.key.late, i.key.g3 { background: var(--red); } i.key.g0 { background: var(--green); }
    i.key.g1 { background: var(--amber); } i.key.g2 { background: var(--orange); } i.key.load { background: var(--blue); }
    i.key.empty { background: var(--track); }
    footer { margin-top: 20px; color: var(--soft); font-size: 13px; }
    """
}
