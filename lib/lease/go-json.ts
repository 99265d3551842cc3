/**
 * JSON as Go's encoding/json reads it into a struct, because flanneld and Weft read the same keys in etcd:
 * object keys match field names whatever their case, unknown keys are ignored, the last of several wins, `null` leaves
 * a plain field as it was, whole numbers are judged by how they are written (24.0 and 1e3 are not whole), and a `\u`
 * escape that is half a surrogate pair reads as U+FFFD. JSON.parse keeps neither the order of such keys nor the digits.
 *
 * One difference on purpose: nesting is limited to 500 levels (Go: 10,000), so that no input can exhaust the stack.
 */
import { WeftError } from '../error.ts';

export type JsonValue = null | boolean | string | JsonNumber | JsonArray | JsonObject;

interface JsonNumber {
  readonly kind: 'number';
  /** The digits as written, for example "24" or "1e9". */
  readonly literal: string;
}

interface JsonArray {
  readonly kind: 'array';
  readonly items: readonly JsonValue[];
}

export interface JsonObject {
  readonly kind: 'object';
  /** In the order of the text, repeated keys included. */
  readonly members: readonly (readonly [key: string, value: JsonValue])[];
}

const MAX_DEPTH = 500;

/** Parses one JSON text. Throws WeftError JSON_INVALID with line and column (both from 1) and what was found. */
export function parseJson(text: string): JsonValue {
  const reader = new JsonReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** The value that Go stores in the field `name`: that of the last member whose key matches. Undefined when there is none. */
export function goField(object: JsonObject, name: string): JsonValue | undefined {
  const wanted = foldKey(name);
  return object.members.findLast(([key]) => foldKey(key) === wanted)?.[1];
}

/** As goField for a plain (non-pointer) field, where Go ignores `null`. */
export function goPlainField(object: JsonObject, name: string): Exclude<JsonValue, null> | undefined {
  const wanted = foldKey(name);
  return object.members.findLast(([key, value]) => value !== null && foldKey(key) === wanted)?.[1] ?? undefined;
}

/** The value as JSON.parse gives it. A member that is repeated in any case keeps its last place, so that the last wins. */
export function toPlain(value: JsonValue): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value.kind === 'number') return Number(value.literal);
  if (value.kind === 'array') return value.items.map(toPlain);
  const plain: Record<string, unknown> = {};
  for (const [key, member] of value.members) {
    delete plain[key];
    // An own property, whatever its name: `plain['__proto__'] = x` would replace the prototype.
    const descriptor = { value: toPlain(member), writable: true, enumerable: true, configurable: true };
    Object.defineProperty(plain, key, descriptor);
  }
  return plain;
}

/** How a value is quoted in messages: as JSON, cut after 80 characters. */
export function quoteJson(value: JsonValue): string {
  if (typeof value === 'string') return quoteText(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (value.kind === 'number') return value.literal.slice(0, 80);
  return value.kind === 'array' ? 'an array' : 'an object';
}

/**
 * Text from outside in quotes, cut, on one line and with nothing that a terminal would act on: anybody who can write to the
 * store must not be able to write into our log.
 */
export function quoteText(text: string, maxLength = 80): string {
  const json = JSON.stringify(text.length <= maxLength ? text : `${text.slice(0, maxLength - 3)}...`);
  return json.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** Go's simple case folding of ASCII letters; two letters outside ASCII fold to ASCII ones: U+017F to S, U+212A to K. */
export function foldKey(key: string): string {
  return key
    .replaceAll('\u017f', 's')
    .replaceAll('\u212a', 'k')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    this.#skipSpace();
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"') return this.#string();
    const word = this.#match(/true|false|null/y);
    if (word !== undefined) return word === 'null' ? null : word === 'true';
    const literal = this.#match(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (literal !== undefined) return { kind: 'number', literal };
    return this.#fail('a value is expected');
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail('the text goes on after the value');
  }

  #object(depth: number): JsonObject {
    const members: [string, JsonValue][] = [];
    this.#at++;
    if (this.#take('}')) return { kind: 'object', members };
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') this.#fail('a key in double quotes is expected');
      const key = this.#string();
      if (!this.#take(':')) this.#fail('":" is expected after a key');
      members.push([key, this.value(depth + 1)]);
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}" is expected');
    return { kind: 'object', members };
  }

  #array(depth: number): JsonArray {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#take(']')) return { kind: 'array', items };
    do items.push(this.value(depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]" is expected');
    return { kind: 'array', items };
  }

  #string(): string {
    let content = '';
    this.#at++;
    for (;;) {
      // RFC 8259 §7, "unescaped": anything from the space on but the quote and the backslash.
      content += this.#match(/[ !#-[\]-\uffff]+/y) ?? '';
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at++;
        return content.replace(/\p{Surrogate}/gu, '\ufffd'); // halves only: with the u flag, pairs are one character
      }
      if (next !== '\\') this.#fail('a string does not end');
      content += this.#escape();
    }
  }

  #escape(): string {
    const unicode = this.#match(/\\u[0-9a-fA-F]{4}/y);
    if (unicode !== undefined) return String.fromCharCode(Number.parseInt(unicode.slice(2), 16));
    const letter = this.#text[this.#at + 1] ?? '';
    const meaning = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (meaning === undefined) return this.#fail('an escape in a string is not valid');
    this.#at += 2;
    return meaning;
  }

  #match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    this.#match(/[ \t\r\n]+/y);
  }

  #fail(problem: string): never {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    const column = this.#at - before.lastIndexOf('\n');
    const found = this.#at < this.#text.length ? quoteText(this.#text.slice(this.#at, this.#at + 12)) : 'the end';
    throw new WeftError('JSON_INVALID', `line ${line}, column ${column}: ${problem}, found ${found}`);
  }
}
