import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { sectionHeader } from '../../lib/capture/pcapng.ts';
import { CaptureFile, CaptureFiles, type Rotation } from '../../lib/observe/capture-files.ts';

const BLOCK = sectionHeader('test');

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-files-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a file is for its owner alone, and a capture that is there is replaced', (t) => {
  const path = join(directory(t), 'a');
  for (const _ of [1, 2]) {
    const file = new CaptureFile(path);
    file.write(BLOCK);
    file.close();
    t.deepEqual(new Uint8Array(readFileSync(path)), BLOCK);
    t.is(statSync(path).mode & 0o777, 0o600);
  }
});

test('nothing but a capture is written over, and no link is followed', (t) => {
  const path = join(directory(t), 'a');
  const refused = (reason: RegExp): void =>
    void t.throws(() => new CaptureFile(path), { code: 'CAPTURE_NOT_WRITTEN', message: reason });
  writeFileSync(path, 'my thesis');
  refused(/no capture/);
  t.is(readFileSync(path, 'utf8'), 'my thesis');
  rmSync(path);
  symlinkSync(`${path}-target`, path);
  refused(/symbolic link/);
  t.false(existsSync(`${path}-target`));
  rmSync(path);
  writeFileSync(path, BLOCK);
  linkSync(path, `${path}-other`);
  refused(/more names/);
  t.throws(() => new CaptureFile(join(path, 'b')), { code: 'CAPTURE_NOT_WRITTEN', message: /ENOTDIR/ });
  t.throws(() => new CaptureFile(tmpdir()), { code: 'CAPTURE_NOT_WRITTEN' });
});

function fill(path: string, rotation: Rotation, turns: number): CaptureFiles {
  const files = new CaptureFiles(path, rotation, new Date(2026, 10, 29, 1, 2, 3));
  for (let i = 1; i < turns; i++) {
    files.write(BLOCK);
    if (!files.next(new Date(2026, 10, 29, 1, 2, 3 + i))) break;
  }
  files.close();
  return files;
}

test('names are those of tcpdump', (t) => {
  const names = (rotation: Rotation, name: string, turns: number): string[] => {
    const path = directory(t);
    fill(join(path, name), rotation, turns);
    return readdirSync(path).toSorted();
  };
  t.deepEqual(names({ bytes: 1 }, 'f', 3), ['f', 'f1', 'f2']);
  t.deepEqual(names({ bytes: 1, files: 12 }, 'f', 3), ['f00', 'f01', 'f02']);
  t.deepEqual(names({ seconds: 1 }, 'f-%Y%m%d-%H%M%S', 2), ['f-20261129-010203', 'f-20261129-010204']);
  t.deepEqual(names({ seconds: 1 }, 'f', 2), ['f', 'f1']);
  t.deepEqual(names({ seconds: 1, files: 2 }, 'f', 9), ['f', 'f1'], 'it ends after two');
});

test('a ring takes away what it wrote and nothing else', (t) => {
  const path = directory(t);
  fill(join(path, 'f'), { bytes: 1, files: 2 }, 7);
  t.deepEqual(readdirSync(path).toSorted(), ['f0', 'f1']);
  const files = new CaptureFiles(join(path, 'g'), { bytes: 1, files: 2 }, new Date());
  files.write(BLOCK);
  files.next(new Date());
  rmSync(join(path, 'g0'));
  writeFileSync(join(path, 'g0'), "somebody else's");
  t.throws(() => files.next(new Date()), { code: 'CAPTURE_NOT_WRITTEN', message: /no capture/ });
  t.is(readFileSync(join(path, 'g0'), 'utf8'), "somebody else's");
});

test('when the disk is full, what is there is whole', (t) => {
  const file = new CaptureFile(join(directory(t), 'a'));
  file.write(BLOCK);
  t.is(file.length, BLOCK.length);
  file.close();
  // A descriptor that is closed takes nothing, as a full disk.
  const error = t.throws(() => file.write(BLOCK), { code: 'CAPTURE_NOT_WRITTEN' });
  t.regex(error!.message, new RegExp(`the first ${BLOCK.length} bytes are whole`));
});
