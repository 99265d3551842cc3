// Who sent a datagram: the socket address recvmmsg gave us against the peers'.
import { PEER_ADDRESS } from '../../abi';
import { get32 } from '../packet/bytes';
import { peerAt } from '../context';
import { lookupOuter4, lookupOuter6 } from '../tables/fib';

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
/** sockaddr_in: family 0, port 2, address 4. sockaddr_in6: family 0, port 2, flow 4, address 8. */
const ADDRESS4: usize = 4;
const ADDRESS6: usize = 8;

/** A peer of the segment in work with the address of the sockaddr at `name`, whatever its port; 0: none. */
export function outerPeer(name: usize): u32 {
  const family = <u32>load<u16>(name);
  if (family == AF_INET) return lookupOuter4(get32(name + ADDRESS4));
  return family == AF_INET6 ? lookupOuter6(name + ADDRESS6) : 0;
}

/** Is the address of the sockaddr at `name` that of `peer`? */
export function isFrom(peer: u32, name: usize): bool {
  const own = peerAt(peer) + PEER_ADDRESS;
  const family = load<u16>(name);
  if (family != load<u16>(own)) return false;
  if (<u32>family == AF_INET) return load<u32>(own, ADDRESS4) == load<u32>(name, ADDRESS4);
  return load<u64>(own, ADDRESS6) == load<u64>(name, ADDRESS6) && load<u64>(own, ADDRESS6 + 8) == load<u64>(name, ADDRESS6 + 8);
}

/** 4 or 6. */
// @ts-ignore: decorator
@inline
export function familyOf(name: usize): u32 {
  return <u32>load<u16>(name) == AF_INET ? 4 : 6;
}
