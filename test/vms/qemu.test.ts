import test from 'ava';
import { qemuProgram, virtiofsdProgram } from './qemu.ts';

const OWN = {
  program: '/usr/bin/qemu-system-x86_64',
  virtiofsd: '/usr/libexec/virtiofsd',
  firmware: [],
  libraries: '',
};
const UNPACKED = { ...OWN, firmware: ['/cache/qemu', '/cache/seabios'], libraries: '/cache/lib' };
const MACHINE = {
  number: 1,
  memoryMb: 768,
  kvm: false,
  kernel: { image: '/cache/vmlinuz', modules: '/cache/modules' },
  initrd: '/dev/shm/initrd',
  shares: { host: '/dev/shm/root-1' },
  parameters: { WEFT_NUMBER: '1' },
};

/** What stands behind an option. */
const after = (argv: readonly string[], option: string): string | undefined => argv[argv.indexOf(option) + 1];

test('memory is shared with virtiofsd, and the NIC is on its tap', (t) => {
  const { argv, environment } = qemuProgram(OWN, MACHINE);
  t.is(after(argv, '-m'), '768');
  t.is(after(argv, '-object'), 'memory-backend-memfd,id=memory,size=768M,share=on');
  t.is(after(argv, '-chardev'), 'socket,id=host,path=/dev/shm/root-1');
  t.is(after(argv, '-netdev'), 'tap,id=wire,ifname=tap1,script=no,downscript=no');
  t.regex(after(argv, '-append') ?? '', /no_timer_check.* WEFT_NUMBER=1$/);
  t.deepEqual(environment, {});
});

test('KVM is used where it is', (t) => {
  const options = (kvm: boolean) => {
    const { argv } = qemuProgram(OWN, { ...MACHINE, kvm });
    return [after(argv, '-accel'), after(argv, '-cpu')];
  };
  t.deepEqual(options(true), ['kvm', 'host']);
  t.deepEqual(options(false), ['tcg,thread=multi', 'max']);
});

test('an unpacked QEMU finds its firmware and libraries', (t) => {
  const { argv, environment } = qemuProgram(UNPACKED, MACHINE);
  t.deepEqual(argv.slice(1, 5), ['-L', '/cache/qemu', '-L', '/cache/seabios']);
  t.deepEqual(environment, { LD_LIBRARY_PATH: '/cache/lib' });
});

test('virtiofsd in C and in Rust have options of their own', (t) => {
  t.deepEqual(virtiofsdProgram(OWN, '/', '/s', false).argv.slice(1, 4), ['--socket-path=/s', '-o', 'source=/']);
  t.deepEqual(virtiofsdProgram(OWN, '/', '/s', true).argv.slice(1, 3), ['--socket-path=/s', '--shared-dir=/']);
});
