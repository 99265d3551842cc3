/** Holds replies of the control socket against lib/control/v1.schema.json. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ControlPath } from '../../lib/control/protocol.ts';

interface Schema {
  readonly $id: string;
  readonly $defs: Readonly<Record<string, unknown>>;
}

export const SCHEMA = JSON.parse(readFileSync('lib/control/v1.schema.json', 'utf8')) as Schema;

export const CONTROL_PATHS = Object.keys({
  '/v1/status': true,
  '/v1/peers': true,
  '/v1/routes': true,
  '/v1/stats': true,
  '/v1/fdb': true,
  '/v1/neigh': true,
} satisfies Record<ControlPath, true>) as readonly ControlPath[];

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).addSchema(SCHEMA);

/** What is wrong with the reply of a path, or with a part of one, a line each. Empty is good. */
export function violations(path: ControlPath | 'error' | 'NetworkReport', reply: unknown): string[] {
  const validate = ajv.getSchema(`${SCHEMA.$id}#/$defs/${path.replace('/v1/', '')}`);
  if (validate === undefined) return [`no schema for ${path}`];
  if (validate(reply) === true) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${path}${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
