import test from 'ava';
import { umlProgram } from './uml.ts';

const KERNEL = { image: '/cache/uml72/linux', modules: '/cache/uml72/usr/lib/uml/modules', seccomp: true };

test('User-mode Linux boots on the root of this machine, read-only, with a tap as its NIC', (t) => {
  const { argv, environment } = umlProgram(KERNEL, 2, 1024, '/weft/guest-init.sh', { WEFT_NUMBER: '2' });
  t.is(argv[0], KERNEL.image);
  for (const argument of [
    'seccomp=on',
    'mem=1024M',
    'rootfstype=hostfs',
    'ro',
    'init=/weft/guest-init.sh',
    'vec0:transport=tap,ifname=tap2,mac=52:54:00:00:02:02,depth=64,gro=1',
    'WEFT_NUMBER=2',
  ])
    t.true(argv.includes(argument), argument);
  t.deepEqual(environment, { TMPDIR: '/dev/shm' });
});

test('an older one does without seccomp', (t) => {
  const { argv } = umlProgram({ ...KERNEL, seccomp: false }, 1, 512, '/init', {});
  t.false(argv.includes('seccomp=on'));
});
