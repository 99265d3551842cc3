/** The benchmark's report as its reader has it: everything but the curves is there without this script. */
import '../kit/theme.css';
import './report.css';
import { onThemeChange } from '../kit/plot.ts';

const paper = matchMedia('print');

/** On paper nobody can open a table: all are, and afterwards those that were. */
function openTables(): void {
  for (const details of document.querySelectorAll('details'))
    if (paper.matches) {
      details.dataset.open = String(details.open);
      details.open = true;
    } else if (details.dataset.open === 'false') details.open = false;
}

paper.addEventListener('change', openTables);
onThemeChange(() => {});
