/** A capture in a real Wireshark, with the profile that `weft wireshark install` makes, on a screen that nobody sees (Xvfb). */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FOLDER, reduce, start } from './painter.ts';

const SIZE = { width: 1280, height: 760 };
/** Our choice: how often the window is looked at, and how often it has to look the same before it is believed to be ready. */
const LOOK_MS = 1000;
const ALIKE = 3;
const MOST_LOOKS = 90;

export async function photographWireshark(capture: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'weft-wireshark-'));
  const display = `:${90 + (process.pid % 900)}`;
  const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, DISPLAY: display };
  await start(process.execPath, ['bin/weft', 'wireshark', 'install'], { env });
  const folder = join(home, '.config/wireshark');
  mkdirSync(folder, { recursive: true });
  const geometry = { x: 0, y: 0, ...SIZE };
  writeFileSync(
    join(folder, 'recent_common'),
    Object.entries(geometry)
      .map(([name, value]) => `gui.geometry_main_${name}: ${value}\n`)
      .join(''),
  );
  // The first of the pods' in the tunnel: not an echo of weftd's own (lib/wire/probe.ts).
  const { stdout } = await start('tshark', [
    '-r',
    capture,
    '-Y',
    'vxlan && !(frame contains "weftecho")',
    '-T',
    'fields',
    '-e',
    'frame.number',
  ]);
  const screen = spawn('Xvfb', [display, '-screen', '0', `${SIZE.width}x${SIZE.height}x24`], { stdio: 'ignore' });
  const window = spawn('wireshark', ['-C', 'Weft', '-r', capture, '-g', stdout.split('\n')[0]!], {
    env,
    stdio: 'ignore',
  });
  try {
    const path = `${FOLDER}/wireshark.png`;
    let before = '';
    for (let alike = 0, looks = 0; alike < ALIKE && looks < MOST_LOOKS; looks++) {
      await delay(LOOK_MS);
      const taken = await start('import', ['-window', 'root', path], { env }).catch(() => undefined);
      const now = taken === undefined ? '' : readFileSync(path).toString('base64');
      alike = now !== '' && now === before && now.length > 30_000 ? alike + 1 : 0;
      before = now;
    }
    await reduce(path);
  } finally {
    window.kill();
    screen.kill();
    rmSync(home, { recursive: true, force: true });
  }
}
