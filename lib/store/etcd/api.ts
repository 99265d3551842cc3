/**
 * The part of etcd's v3 gRPC API that Weft uses: messages, their numbers on the wire, and codecs.
 * Facts from etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto (field numbers and service names; etcd 3.4 and later).
 *
 * 64-bit integers are decimal strings: ids and revisions do not fit a number. Decoded messages have every field that is
 * declared here; an absent message is null, an absent list empty.
 */
import { fromJSON, type ServiceDefinition } from '@grpc/proto-loader';

export interface ResponseHeader {
  readonly clusterId: string;
  readonly revision: string;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** When the key was made: it was not there right before. */
  readonly createRevision: string;
  readonly modRevision: string;
  /** The grant the key hangs on; '0' for none. */
  readonly lease: string;
}

export interface RangeRequest {
  readonly key: Uint8Array;
  /** Keys from `key` up to, not including, this one; absent for `key` alone. */
  readonly rangeEnd?: Uint8Array;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
}

/**
 * What must hold of a key: `version` '0' means that it does not exist, `modRevision` that nobody wrote it since. With a
 * `rangeEnd` (etcd 3.3) it must hold of every key up to there: LESS than a `modRevision` means that none was written since.
 */
export type Compare =
  | { readonly key: Uint8Array; readonly target: 'VERSION'; readonly version: string }
  | { readonly key: Uint8Array; readonly target: 'MOD'; readonly modRevision: string }
  | (Required<RangeRequest> & { readonly target: 'MOD'; readonly result: 'LESS'; readonly modRevision: string });

export type RequestOp =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Uint8Array; readonly value: Uint8Array; readonly lease: string } }
  | { readonly requestDeleteRange: { readonly key: Uint8Array } };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly responseRange: RangeResponse | null }[];
}

export interface GrantResponse {
  readonly ID: string;
  readonly TTL: string;
}

export interface TimeToLiveResponse {
  /** Seconds left; '-1' when there is no such grant. */
  readonly TTL: string;
}

export interface WatchCreateRequest {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
  readonly startRevision: string;
}

export type WatchRequest =
  | { readonly createRequest: WatchCreateRequest }
  | { readonly progressRequest: Record<string, never> };

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE';
  /** Of a DELETE only key and modRevision are set. */
  readonly kv: KeyValue;
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  /** Not '0' when the watch asked for history that etcd no longer has. */
  readonly compactRevision: string;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
}

/** One remote procedure: where it is, and its codecs. */
export interface Rpc<Request, Response> {
  readonly path: string;
  readonly encode: (request: Request) => Buffer;
  readonly decode: (bytes: Buffer) => Response;
}

type Fields = Readonly<Record<string, string>>;

/** 'bytes 1' -> { type: 'bytes', id: 1 }; a leading 'repeated' is the rule. */
function message(fields: Fields) {
  const parse = (text: string) => {
    const [id, type = '', rule] = text.split(' ').reverse();
    return { type, id: Number(id), ...(rule === undefined ? {} : { rule }) };
  };
  return { fields: Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, parse(text)])) };
}

function service(methods: Readonly<Record<string, string>>, stream = false) {
  const parse = (type: string) => ({
    requestType: `${type}Request`,
    responseType: `${type}Response`,
    requestStream: stream,
    responseStream: stream,
    comment: '',
  });
  return { methods: Object.fromEntries(Object.entries(methods).map(([name, type]) => [name, parse(type)])) };
}

const ETCDSERVERPB = {
  ResponseHeader: message({ clusterId: 'uint64 1', revision: 'int64 3' }),
  KeyValue: message({
    key: 'bytes 1',
    createRevision: 'int64 2',
    modRevision: 'int64 3',
    value: 'bytes 5',
    lease: 'int64 6',
  }),
  RangeRequest: message({ key: 'bytes 1', rangeEnd: 'bytes 2' }),
  RangeResponse: message({ header: 'ResponseHeader 1', kvs: 'repeated KeyValue 2' }),
  PutRequest: message({ key: 'bytes 1', value: 'bytes 2', lease: 'int64 3' }),
  DeleteRangeRequest: message({ key: 'bytes 1' }),
  // One of each three or two: proto3 writes only those that are set.
  RequestOp: message({
    requestRange: 'RangeRequest 1',
    requestPut: 'PutRequest 2',
    requestDeleteRange: 'DeleteRangeRequest 3',
  }),
  ResponseOp: message({ responseRange: 'RangeResponse 1' }),
  // Field 1, the operator, is left out: its zero is EQUAL.
  Compare: message({
    result: 'CompareResult 1',
    target: 'CompareTarget 2',
    key: 'bytes 3',
    version: 'int64 4',
    modRevision: 'int64 6',
    rangeEnd: 'bytes 64',
  }),
  CompareResult: { values: { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } },
  CompareTarget: { values: { VERSION: 0, CREATE: 1, MOD: 2 } },
  TxnRequest: message({
    compare: 'repeated Compare 1',
    success: 'repeated RequestOp 2',
    failure: 'repeated RequestOp 3',
  }),
  TxnResponse: message({ header: 'ResponseHeader 1', succeeded: 'bool 2', responses: 'repeated ResponseOp 3' }),
  LeaseGrantRequest: message({ TTL: 'int64 1' }),
  LeaseGrantResponse: message({ ID: 'int64 2', TTL: 'int64 3' }),
  LeaseRevokeRequest: message({ ID: 'int64 1' }),
  LeaseRevokeResponse: message({}),
  LeaseTimeToLiveRequest: message({ ID: 'int64 1' }),
  LeaseTimeToLiveResponse: message({ TTL: 'int64 3' }),
  WatchRequest: message({ createRequest: 'WatchCreateRequest 1', progressRequest: 'WatchProgressRequest 3' }),
  WatchCreateRequest: message({ key: 'bytes 1', rangeEnd: 'bytes 2', startRevision: 'int64 3' }),
  WatchProgressRequest: message({}),
  WatchResponse: message({
    header: 'ResponseHeader 1',
    created: 'bool 3',
    canceled: 'bool 4',
    compactRevision: 'int64 5',
    cancelReason: 'string 6',
    events: 'repeated Event 11',
  }),
  Event: message({ type: 'EventType 1', kv: 'KeyValue 2' }),
  EventType: { values: { PUT: 0, DELETE: 1 } },
  AuthenticateRequest: message({ name: 'string 1', password: 'string 2' }),
  AuthenticateResponse: message({ token: 'string 2' }),
  KV: service({ Range: 'Range', Txn: 'Txn' }),
  Lease: service({ LeaseGrant: 'LeaseGrant', LeaseRevoke: 'LeaseRevoke', LeaseTimeToLive: 'LeaseTimeToLive' }),
  Watch: service({ Watch: 'Watch' }, true),
  Auth: service({ Authenticate: 'Authenticate' }),
};

const DEFINITIONS = fromJSON(
  { nested: { etcdserverpb: { nested: ETCDSERVERPB } } },
  { longs: String, enums: String, defaults: true },
);

function rpc<Request, Response>(name: string, method: string): Rpc<Request, Response> {
  // fromJSON types its result as any definition; these names are services by the table above.
  const definition = (DEFINITIONS[`etcdserverpb.${name}`] as ServiceDefinition)[method];
  if (definition === undefined) throw new Error(`etcdserverpb.${name} has no method ${method}`);
  return {
    path: definition.path,
    encode: (request) => definition.requestSerialize(request as object),
    decode: (bytes) => definition.responseDeserialize(bytes) as Response,
  };
}

export const RANGE = rpc<RangeRequest, RangeResponse>('KV', 'Range');
export const TXN = rpc<TxnRequest, TxnResponse>('KV', 'Txn');
export const LEASE_GRANT = rpc<{ TTL: string }, GrantResponse>('Lease', 'LeaseGrant');
export const LEASE_REVOKE = rpc<{ ID: string }, object>('Lease', 'LeaseRevoke');
export const LEASE_TIME_TO_LIVE = rpc<{ ID: string }, TimeToLiveResponse>('Lease', 'LeaseTimeToLive');
export const AUTHENTICATE = rpc<{ name: string; password: string }, { token: string }>('Auth', 'Authenticate');
export const WATCH = rpc<WatchRequest, WatchResponse>('Watch', 'Watch');
