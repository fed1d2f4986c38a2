/** The report of a drill as one page that needs nothing else: it can be filed, or sent to whoever asks. */

import { cellsOf, complaintsOf, type DrillReport, HEADINGS, isClean, verdictText } from './report.ts';

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .6rem; text-align: right; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.verdict { padding: .8rem 1rem; border-radius: .4rem; font-weight: 600; }
.good { background: #2a82; } .bad { background: #c332; }
.bar { display: block; height: .3rem; border-radius: .15rem; background: #47c; margin-left: auto; }
tr.wrong td { background: #c331; }
`;
const BAR_REM_MAX = 5;

export function drillPage(report: DrillReport, writtenAt: Date): string {
  const { nodes, strategy, profile, seed, faults } = report;
  const longest = Math.max(1, ...faults.map(({ measured }) => measured.stallMs));
  const rows = faults.map((fault) => {
    const cells = cellsOf(fault).map((cell, column) => {
      const width = ((BAR_REM_MAX * fault.measured.stallMs) / longest).toFixed(2);
      const bar = column === 2 ? `<span class="bar" style="width:${width}rem"></span>` : '';
      return `<td>${escaped(cell)}${bar}</td>`;
    });
    return `<tr${fault.wrong.length > 0 ? ' class="wrong"' : ''}>${cells.join('')}</tr>`;
  });
  const complaints = complaintsOf(report).map((text) => `<li>${escaped(text)}</li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lockstep drill</title>
<style>${STYLE}</style>
<h1>Drill</h1>
<p>${nodes} nodes, strategy ${escaped(strategy)}, load ${escaped(profile)}, seed ${seed}; ${writtenAt.toISOString()}</p>
<p class="verdict ${isClean(report) ? 'good' : 'bad'}">${escaped(verdictText(report))}</p>
${complaints.length > 0 ? `<ul>${complaints.join('')}</ul>` : ''}
<table>
<thead><tr>${HEADINGS.map((heading) => `<th>${heading}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<p>Stall: the longest time in which commands were under way and none was answered. Longest: of one command, with all that
the host tried. Redundant after: from the end of the fault until all copies were synchronized.</p>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
