/** What the figures are to be read with: machine, software, method, verdict. Pure. */
import { SETTING_TEXT, SETTINGS } from '../bench/matrix.ts';
import type { BenchReport } from '../bench/report.ts';
import { median } from '../measure/statistics.ts';
import { formatBytes, formatDuration } from '../units.ts';
import { type Html, html, table } from './html.ts';
import { figure, figures } from './numbers.ts';

/** Whether the figures can be believed; the first that a reader has to know. */
export function verdict({ noise, results, interrupted, budget }: BenchReport): Html {
  const rounds = Math.max(0, ...results.map(({ samples }) => samples.length));
  const noisy = noise.verdict === 'noisy';
  const text = noisy
    ? `Too noisy to believe: ${noise.reasons.join('; ')}.`
    : rounds <= 1
      ? 'The machine was quiet, as far as one round can tell: one round shows that everything runs, not how fast.'
      : 'The machine was quiet enough: differences between these figures mean something.';
  const ended = interrupted
    ? html`<p class="verdict trouble">The run was broken off: this is what was measured before.</p>`
    : budget?.usedUp === true
      ? html`<p class="verdict trouble">The ${budget.seconds} s of this run were used up before all was measured.</p>`
      : undefined;
  return html`<p class="verdict${noisy ? ' trouble' : ''}">${text}</p>${ended}`;
}

/** "29 November 2026, 15:03 UTC", whoever reads it where. */
export function formatDate(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const options = { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' } as const;
  return `${new Intl.DateTimeFormat('en-GB', options).format(at).replace(' at ', ', ')} UTC`;
}

export function factsSection(report: BenchReport): Html {
  const { environment: e, method: m, noise, durationSeconds, startedAt } = report;
  const loops = noise.controls.map(({ loopMs }) => loopMs);
  const rows: [string, string][] = [
    ['Machine', `${e.cpus} × ${e.cpu}, ${formatBytes(e.memoryBytes)} of memory`],
    ['Software', `Linux ${e.kernel}, Node.js ${e.node}, Weft ${e.weft}, commit ${e.commit ?? 'unknown'}`],
    [
      'Run',
      `${formatDate(startedAt)}, measured for ${formatDuration(durationSeconds)}, ${m.rounds} ${m.rounds === 1 ? 'round' : 'rounds'} planned, paths interleaved`,
    ],
    ...SETTINGS.filter((setting) => report.results.some((row) => row.setting === setting)).map(
      (setting): [string, string] => [
        `Setting ${setting}`,
        `${SETTING_TEXT[setting]}${setting === 'one-core' ? ` (CPU ${m.oneCoreCpu})` : ''}`,
      ],
    ),
    ['Load before it', e.loadAverage.toFixed(2)],
    ...(noise.controls.length === 0
      ? []
      : ([
          [
            'Others while it rested',
            `${figure(median(noise.controls.map(({ othersShare }) => othersShare)) * 100)} % of a CPU (median)`,
          ],
          ['A fixed calculation', `${figures(loops)} ms`],
        ] as [string, string][])),
    ['Taken by the hypervisor', `${figure(noise.stealShare * 100)} % of the CPU time`],
    ['Network', `inner MTU ${m.innerMtu} for all, underlay MTU ${m.underlayMtu}, underlay queue ${m.qdisc}`],
    [
      'TCP',
      `${m.congestionControl} (the system's own is ${e.defaultCongestionControl}), ${m.tcpSeconds} s after ${m.tcpOmittedSeconds} s that do not count, MSS ${m.tcpMss ?? 'not measured'}`,
    ],
    [
      'UDP',
      `IPv4 packets, header included; loss up to ${figure(m.maxLoss * 100)} %, trials of ${m.udpTrialSeconds} s; ${m.generator}`,
    ],
    ['Round trips', `${m.pings} echoes every ${m.pingIntervalSeconds * 1000} ms, resolution ${m.rttResolutionMs} ms`],
  ];
  return table('Machine and method', [{ title: 'What' }, { title: 'Value' }], rows);
}
