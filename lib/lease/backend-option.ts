/** Members of JSON objects as flannel's Go code finds them: of the configuration's Backend, of a lease's BackendData. Pure. */
import { foldKey } from './go-json.ts';

/** NetworkConfig.backend, or the data of a lease. */
export type BackendObject = Readonly<Record<string, unknown>>;

/** The member `name` in any case, the last of several; null leaves a field as it was, as in Go. Undefined when there is none. */
export function findOption(object: BackendObject, name: string): unknown {
  const wanted = foldKey(name);
  const found = Object.entries(object).findLast(
    ([key, value]) => value !== null && (key === name || foldKey(key) === wanted),
  );
  return found?.[1];
}
