import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Ipv4Prefix, parsePrefix } from '../../../lib/addr/prefix.ts';
import { formatSubnetEnv, type SubnetEnv } from '../../../lib/daemon/files/subnet-env.ts';
import { SubnetFile } from '../../../lib/daemon/files/subnet-file.ts';
import type { Fault } from '../../../lib/faults.ts';
import { until } from '../../../lib/lab/until.ts';
import { parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { logTo } from '../../log.ts';
import { PATIENCE_MS } from '../../patience.ts';

const ENV: SubnetEnv = {
  config: parseNetworkConfig('{"Network":"10.244.0.0/16"}'),
  own: { ipv4: parsePrefix('10.244.30.0/24') as Ipv4Prefix, ipv6: undefined },
  mtu: 1472,
  ipMasq: false,
};

function make(t: ExecutionContext) {
  const directory = mkdtempSync(join(tmpdir(), 'weft-subnet-file-'));
  const path = join(directory, 'subnet.env');
  const lines: string[] = [];
  let faults: readonly Fault[] = [];
  const log = logTo((_fields, message) => lines.push(message));
  const report = (_part: string, list: readonly Fault[]): void => {
    faults = list;
  };
  const file = new SubnetFile({ path, log, faults: { report }, retryMs: 5 });
  t.teardown(() => {
    file.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const isRight = (): boolean => {
    try {
      return readFileSync(path, 'utf8') === formatSubnetEnv(ENV);
    } catch {
      return false;
    }
  };
  return { directory, path, file, lines, faults: () => faults, isRight };
}

test('a subnet file that somebody deletes or changes is written again, and said once (a brother of H3)', async (t) => {
  const { path, file, lines, isRight } = make(t);
  await file.keep(ENV);
  t.true(isRight());
  rmSync(path);
  t.true(await until(isRight, PATIENCE_MS));
  writeFileSync(path, 'FLANNEL_SUBNET=10.9.9.1/24\n');
  t.true(await until(isRight, PATIENCE_MS));
  t.true(await until(() => lines.length > 1, PATIENCE_MS));
  t.deepEqual(lines, ['Subnet file written', 'Somebody deleted or changed the subnet file; it was written again']);
});

test('a subnet file that can be written no more is a fault until it can (H3)', async (t) => {
  const { directory, path, file, faults, isRight } = make(t);
  await file.keep(ENV);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, '');
  t.true(await until(() => faults().length === 1, PATIENCE_MS));
  t.true(faults()[0]!.blocks);
  t.true(faults()[0]!.text.startsWith(`Cannot write subnet file ${JSON.stringify(path)}: `), faults()[0]!.text);
  rmSync(directory);
  t.true(await until(() => isRight() && faults().length === 0, PATIENCE_MS));
});

test('after close the file is left alone', async (t) => {
  const { path, file, isRight } = make(t);
  const kept = file.keep(ENV);
  file.close();
  await kept;
  rmSync(path, { force: true });
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(isRight());
});

test('a fault of the subnet file does not outlive the network that wrote it', async (t) => {
  const { directory, file, faults } = make(t);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, '');
  await file.keep(ENV);
  t.is(faults().length, 1);
  file.close();
  t.is(faults().length, 0);
});
