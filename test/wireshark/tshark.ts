/** The real tshark, with a home of its own and the dissector of this checkout. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext, type ImplementationFn } from 'ava';
import { LINKTYPE_ETHERNET } from '../../lib/capture/link-type.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../lib/capture/pcapng.ts';
import { DISSECTOR_FILE } from '../../lib/wireshark/dissector.ts';
import { PATIENCE_MS } from '../patience.ts';

const installed = spawnSync('tshark', ['--version']).error === undefined;

/** A test that needs tshark. */
export function withTshark(title: string, implementation: ImplementationFn<[]>): void {
  if (installed) test(title, implementation);
  else test.skip(`${title} (skipped: tshark is not installed)`, implementation);
}

/** An empty folder, removed after the test. */
export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-wireshark-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs tshark in the home folder; returns what it wrote. Its remark about root is left out. */
export function tshark(
  home: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env.PATH, HOME: home, ...environment };
  const run = spawnSync('tshark', argv, { encoding: 'utf8', env, timeout: PATIENCE_MS, maxBuffer: 1 << 28 });
  const stderr = run.stderr.replace(/^Running as user "root".*\n/gm, '');
  return { status: run.status, stdout: run.stdout, stderr };
}

/** Arguments by which tshark reads weft.lua. */
export const WITH_DISSECTOR: readonly string[] = ['-X', `lua_script:${fileURLToPath(DISSECTOR_FILE)}`];

/** What every packet of a file has in some fields (`withDissector` false: by what is installed); of several occurrences commas between them. Fails on anything on standard error. */
export function fieldsOf(
  t: ExecutionContext,
  home: string,
  path: string,
  fields: readonly string[],
  options: readonly string[] = [],
  withDissector = true,
): string[][] {
  const names = fields.flatMap((field) => ['-e', field]);
  const { status, stdout, stderr } = tshark(home, [
    ...(withDissector ? WITH_DISSECTOR : []),
    ...options,
    '-r',
    path,
    '-T',
    'fields',
    ...names,
  ]);
  t.is(stderr, '');
  t.is(status, 0);
  const lines = stdout.split('\n').slice(0, -1);
  // Truth is 1, from 4.2 on True.
  return lines.map((line) => line.split('\t').map((value) => (value === 'True' ? '1' : value)));
}

/** Ethernet frames as a file. `snapLength`: how much is kept, by number. */
export function writeFrames(
  path: string,
  frames: readonly Uint8Array[],
  snapLength: (index: number) => number = () => 65_535,
): void {
  const blocks = [
    sectionHeader('weft test'),
    interfaceDescription({ name: 'u0', linkType: LINKTYPE_ETHERNET, snapLength: 0 }),
    ...frames.map((frame, index) =>
      enhancedPacket({
        interfaceId: 0,
        timestampNs: 1_795_364_980_000_000_000n + BigInt(index),
        bytes: frame.subarray(0, snapLength(index)),
        originalLength: frame.length,
      }),
    ),
  ];
  writeFileSync(path, Buffer.concat(blocks));
}
