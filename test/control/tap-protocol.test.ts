import test from 'ava';
import { encodeTapRequest, MAX_TAP_SAMPLE, MAX_TAP_SNAP, readTapRequest } from '../../lib/control/tap-protocol.ts';
import { Dice } from '../golden/dice.ts';

test('a request is read as it was written', (t) => {
  const request = { network: 'blue', sample: 7, snapLength: 64, droppedOnly: true };
  t.deepEqual(readTapRequest(encodeTapRequest(request).trimEnd()), { request });
});

test('one packet of 100 and 128 bytes, unless more is asked for', (t) => {
  t.deepEqual(readTapRequest('{}'), {
    request: { network: undefined, sample: 100, snapLength: 128, droppedOnly: false },
  });
});

const REFUSED: readonly [string, RegExp][] = [
  ['', /not a line of JSON/],
  ['GET / HTTP/1.1', /not a line of JSON/],
  ['[]', /not a JSON object/],
  ['null', /not a JSON object/],
  ['7', /not a JSON object/],
  ['{"version":2}', /version 1 is spoken/],
  ['{"sample":0}', /sample is not/],
  ['{"sample":1.5}', /sample is not/],
  ['{"sample":"1"}', /sample is not/],
  [`{"sample":${MAX_TAP_SAMPLE + 1}}`, /sample is not/],
  ['{"snapLength":-1}', /snapLength is not/],
  [`{"snapLength":${MAX_TAP_SNAP + 1}}`, /snapLength is not/],
  ['{"network":7}', /network is not/],
  [`{"network":"${'x'.repeat(257)}"}`, /network is not/],
  ['{"droppedOnly":1}', /droppedOnly is not/],
  ['{"filter":"x"}', /no key "filter"/],
  [`{"${'y'.repeat(900)}":1}`, /no key "y{40}"/],
];

for (const [line, problem] of REFUSED)
  test(`the request ${line.slice(0, 30)} is refused in words (${problem.source})`, (t) => {
    const read = readTapRequest(line);
    t.regex('problem' in read ? read.problem : '', problem);
  });

test('no line of text makes it throw', (t) => {
  const dice = new Dice();
  const letters = '{}[]":,0123456789.-eE\\ \u0000\u202eversionsamplenetworksnapLength';
  for (let round = 0; round < 3000; round++) {
    const line = Array.from({ length: dice.below(60) }, () => letters[dice.below(letters.length)]).join('');
    t.notThrows(() => readTapRequest(line), `WEFT_SEED=${dice.seed}: ${JSON.stringify(line)}`);
  }
});
