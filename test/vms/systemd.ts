/** What only a real process 1 shows: weftd as the unit of the Vagrantfile, stopped, killed, restarted, and over a restart of its machine. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPingOutput } from '../../lib/measure/ping-output.ts';
import { heredoc, provisionScript } from '../vagrantfile.ts';
import { type Check, type Report, readPod } from './cases.ts';
import type { Guest } from './guest.ts';
import { bootGuest, type GuestOptions } from './guests.ts';
import { SCRATCH } from './isolate.ts';
import * as typed from './node-commands.ts';

const PINGS = 5;
const NUMBER = 2;
/** Emulated, and Node.js has to start. */
const LIMIT_MS = 900_000;

/** What has to be the same after a restart. */
const IDENTITY = 'cat /run/flannel/subnet.env; cat /sys/class/net/flannel.1/address';

/**
 * Boots the second guest with systemd, and ends it. `first` has etcd. The network is vxlan, whose devices have addresses of their
 * own to keep.
 */
export async function runSystemd(first: Guest, options: GuestOptions, report: Report): Promise<void> {
  await first.run(typed.stopOverlay());
  const disk = makeDisk();
  let guest = await bootGuest(NUMBER, options, disk);
  report({
    name: 'systemd boots',
    seen: (await guest.run('systemctl --version')).split('\n')[0] ?? '',
    fault: undefined,
  });

  await first.run(typed.configure({ Network: typed.NETWORK, Backend: { Type: 'vxlan', VNI: 1, Port: 8472 } }));
  await first.run(typed.startWeftd(), LIMIT_MS);
  const pod = readPod(await first.run(typed.podUp()));

  const ready = await checkStart(guest);
  report(ready);
  // Nothing else could be right.
  if (ready.fault !== undefined) return;
  report(await checkRights(guest));
  report(await checkJournal(guest));
  report(await checkPing('ping from its pod', guest, pod.address));
  const identity = await guest.run(IDENTITY);

  await guest.run('systemctl restart weftd', LIMIT_MS);
  report(same('restart keeps the lease', identity, await guest.run(IDENTITY)));
  report(await checkKill(guest, identity));
  report(await checkStop(guest));
  await guest.run('systemctl enable --now weftd', LIMIT_MS);

  guest = await restartMachine(guest, options, disk);
  await guest.run(typed.waitFor('systemctl -q is-active weftd', 'systemctl status weftd'), LIMIT_MS);
  report(same('reboot keeps the lease', identity, await guest.run(IDENTITY)));
  report(await checkPing('ping after the reboot', guest, pod.address));
  await guest.kill();
}

/** What outlives a restart of the machine: systemd-init.sh knows it. */
function makeDisk(): string {
  const disk = join(SCRATCH, 'disk');
  mkdirSync(join(disk, 'system'), { recursive: true });
  const unit = heredoc(provisionScript(), "weftd.service <<'EOF'", 'EOF');
  writeFileSync(join(disk, 'system/weftd.service'), unit);
  writeFileSync(join(disk, 'settings'), `WEFTD_ETCD_ENDPOINTS=${typed.ETCD}\nWEFTD_IFACE=eth0\n`);
  return disk;
}

async function restartMachine(guest: Guest, options: GuestOptions, disk: string): Promise<Guest> {
  // The answer does not come when systemd is quick.
  await guest.try('systemctl reboot').catch(() => undefined);
  await guest.switchedOff();
  return bootGuest(NUMBER, options, disk);
}

/** Type=notify: `systemctl start` waits for READY=1. */
async function checkStart(guest: Guest): Promise<Check> {
  const { code, output } = await guest.try('systemctl start weftd && test -s /run/flannel/subnet.env', LIMIT_MS);
  const state = await guest.run('systemctl show -p ActiveState -p SubState -p StatusText weftd');
  const right = code === 0 && /ActiveState=active/.test(state) && /SubState=running/.test(state);
  const seen = /StatusText=(.*)/.exec(state)?.[1] ?? '';
  return { name: 'ready by sd_notify', seen, fault: right ? undefined : `${output}${state}${await journal(guest)}` };
}

/** CAP_NET_ADMIN. capabilities(7): bit 12. */
const ONLY_NET_ADMIN = '0000000000001000';

async function checkRights(guest: Guest): Promise<Check> {
  const status = await guest.run('cat /proc/$(systemctl show -p MainPID --value weftd)/status');
  const seen = `user weft, CapEff ${/CapEff:\s*(\w+)/.exec(status)?.[1]}`;
  const right = /^Uid:\s*61999/m.test(status) && status.includes(`CapEff:\t${ONLY_NET_ADMIN}`);
  return { name: 'CAP_NET_ADMIN alone', seen, fault: right ? undefined : status };
}

function journal(guest: Guest): Promise<string> {
  return guest.run('journalctl -u weftd -o cat --no-pager -n 50');
}

async function checkJournal(guest: Guest): Promise<Check> {
  const text = await journal(guest);
  const ready = readyIn(text);
  return { name: 'journal', seen: `Ready, subnet ${ready}`, fault: ready === undefined ? text : undefined };
}

/** The subnet of weftd's last "Ready" among what `journalctl -o cat` prints: without a terminal each line of its log is JSON. */
export function readyIn(text: string): string | undefined {
  const records = text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { readonly msg: string; readonly subnet?: string });
  return records.findLast(({ msg }) => msg === 'Ready')?.subnet;
}

async function checkPing(name: string, guest: Guest, address: string): Promise<Check> {
  await guest.run(typed.podUp());
  await guest.run(typed.reach(address), LIMIT_MS);
  const { output } = await guest.try(typed.ping(address, PINGS));
  const { received } = readPingOutput(output);
  return { name, seen: `${received} of ${PINGS}`, fault: received === PINGS ? undefined : output.trim() };
}

function same(name: string, before: string, after: string): Check {
  const seen = /FLANNEL_SUBNET=(.*)/.exec(after)?.[1] ?? '';
  return {
    name,
    seen: `${seen}, the same MAC address`,
    fault: before === after ? undefined : `${before}now\n${after}`,
  };
}

/** Restart=always. */
async function checkKill(guest: Guest, identity: string): Promise<Check> {
  await guest.run(
    `
    pid=$(systemctl show -p MainPID --value weftd); kill -KILL $pid
    ${typed.waitFor(
      '{ [ "$(systemctl show -p MainPID --value weftd)" != $pid ] && systemctl -q is-active weftd; }',
      'systemctl status weftd',
    )}`,
    LIMIT_MS,
  );
  const restarts = (await guest.run('systemctl show -p NRestarts --value weftd')).trim();
  const check = same('comes back when killed', identity, await guest.run(IDENTITY));
  return { ...check, seen: `${restarts} restart, ${check.seen}` };
}

async function checkStop(guest: Guest): Promise<Check> {
  await guest.run('systemctl stop weftd', LIMIT_MS);
  const state = await guest.run(`systemctl show -p ActiveState -p Result -p ExecMainStatus weftd
    ls /sys/class/net; ls /run/flannel`);
  return stopCheck(state, await journal(guest));
}

/** weftd's own words when a stop takes more than 0.9 s, as it may in an emulated machine; it then ends with code 1. */
const TOO_LONG = 'Stopping takes too long';

/** The device goes. subnet.env stays: the CNI plugin reads it at any time. `state`: of the unit, devices and files. */
export function stopCheck(state: string, log: string): Check {
  const has = (...words: readonly string[]): boolean => words.every((word) => state.includes(word));
  const whole = has('ActiveState=inactive', 'Result=success', 'ExecMainStatus=0');
  const cut = has('ActiveState=failed', 'ExecMainStatus=1') && log.includes(TOO_LONG);
  const right = (whole || cut) && has('subnet.env') && !has('flannel.1');
  const seen = `${whole ? 'exit code 0' : 'cut off by its limit of 0.9 s'}, no device, subnet.env stays`;
  return { name: 'stop', seen, fault: right ? undefined : `${state}${log}` };
}
