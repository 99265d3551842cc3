import test from 'ava';
import { run } from '../run.ts';

test('the former name of --paths is still taken, and no longer listed', async (t) => {
  const { stdout } = await run('weft', ['bench', '--help']);
  t.true(stdout.includes('--paths <list>'));
  t.false(stdout.includes('--contenders'));
  // Options are read before root is asked for.
  for (const option of ['--paths', '--contenders'])
    t.like(await run('weft', ['bench', option, 'direct,by-air']), { code: 2, stdout: '' });
  const { stderr } = await run('weft', ['bench', '--contenders', 'by-air']);
  t.true(stderr.includes('"by-air" is not one of direct,'), stderr);
});
