import test from 'ava';
import { plansOf } from './plan.ts';

const CASES = ['udp', 'vxlan', 'ipip', 'host-gw', 'kernel-vxlan', 'kernel-ipip'] as const;

test('without KVM User-mode Linux shows all but systemd, which QEMU shows', (t) => {
  t.deepEqual(plansOf([], false), [
    { kind: 'uml72', subjects: [...CASES] },
    { kind: 'qemu612', subjects: ['systemd'] },
  ]);
  t.deepEqual(plansOf(['systemd'], false), [{ kind: 'qemu612', subjects: ['systemd'] }]);
  t.deepEqual(plansOf(['udp', 'ipip'], false), [{ kind: 'uml72', subjects: ['udp', 'ipip'] }]);
});

test('with KVM one kind shows everything', (t) => {
  t.deepEqual(plansOf([], true), [{ kind: 'qemu612', subjects: [...CASES, 'systemd'] }]);
});

test('a kind that is named is the only one', (t) => {
  t.deepEqual(plansOf(['--guest', 'uml61'], true), [{ kind: 'uml61', subjects: [...CASES] }]);
  t.deepEqual(plansOf(['--guest=qemu61', 'systemd'], false), [{ kind: 'qemu61', subjects: ['systemd'] }]);
});

test('what cannot be is said', (t) => {
  t.throws(() => plansOf(['--guest', 'vmware'], false), { message: /no guest "vmware"\nusage: / });
  t.throws(() => plansOf(['wireguard'], false), { message: /nothing called "wireguard"/ });
  t.throws(() => plansOf(['--guest', 'uml72', 'systemd'], false), { message: /systemd needs a guest of QEMU/ });
  t.throws(() => plansOf(['--speed'], false), { message: /--speed/ });
});
