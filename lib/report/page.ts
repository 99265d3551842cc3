/** The report of `weft bench` as one HTML file that needs nothing else. Pure. */
import { createHash } from 'node:crypto';
import type { BenchReport } from '../bench/report.ts';
import { missingSection, notesSection, thresholdsSection } from './conclusions.ts';
import { cpuSection } from './cpu.ts';
import { factsSection, formatDate, verdict } from './facts.ts';
import { headlineOf, partHtml, type Section } from './figure.ts';
import { Html, html, jsonForScript } from './html.ts';
import { latencySection } from './latency.ts';
import { packetsSection } from './packets.ts';
import { scaleSection } from './scale.ts';
import { stagesSection } from './stages.ts';
import { throughputSection } from './throughput.ts';

/** What esbuild made of lib/page/report. */
export interface PageAssets {
  readonly script: string;
  readonly style: string;
}

export function reportPage(report: BenchReport, { script, style }: PageAssets): string {
  const sections = sectionsOf(report);
  const title = `Weft benchmark, ${formatDate(report.startedAt)}`;
  // Nothing but what this file holds: the browser itself refuses every request and every script that came in as text.
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'`;
  const contents = sections.map((section) => html`<li><a href="#${section.id}">${section.title}</a></li>`);
  const { cpus, cpu, kernel } = report.environment;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header><h1>Weft benchmark</h1><p class="muted">${formatDate(report.startedAt)} · ${cpus} × ${cpu} · Linux ${kernel} · Weft ${report.environment.weft}</p>
${verdict(report)}
<noscript><p class="verdict trouble">Without JavaScript the curves are not drawn; bars and all tables are here.</p></noscript>
${headlines(sections)}
<nav aria-label="Contents"><ul>${contents}</ul></nav></header>
<main>
${sections.map(({ id, title: heading, parts }) => html`<section><h2 id="${id}">${heading}</h2>${parts.map(partHtml)}</section>\n`)}</main>
<script type="application/json" id="report">${jsonForScript(report)}</script>
<script>${new Html(script)}</script>
</body>
</html>
`;
  return page.source;
}

/** The first finding of each section, with the way to its picture. */
function headlines(sections: readonly Section[]): Html | undefined {
  const found = sections.map(headlineOf).filter((figure) => figure !== undefined);
  if (found.length === 0) return undefined;
  return html`<h2 id="short">In short</h2><ul class="short">${found.map(({ id, finding }) => html`<li><a href="#${id}">${finding}</a></li>`)}</ul>`;
}

function sectionsOf(report: BenchReport): Section[] {
  return [
    throughputSection(report),
    packetsSection(report),
    latencySection(report),
    stagesSection(report),
    cpuSection(report),
    scaleSection(report),
    thresholdsSection(report),
    missingSection(report),
    { id: 'machine', title: 'Machine and method', parts: [factsSection(report)] },
    notesSection(report),
  ];
}

/** As a source of a Content-Security-Policy: https://www.w3.org/TR/CSP3/#grammardef-hash-source */
function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
