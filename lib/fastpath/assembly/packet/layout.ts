// Where fields lie: the same files the TypeScript codecs use, so that an offset exists once.
export * from '../../../wire/layout/ecn';
export * from '../../../wire/layout/ethernet';
export * from '../../../wire/layout/icmp';
export * from '../../../wire/layout/ip';
export * from '../../../wire/layout/ipv4';
export * from '../../../wire/layout/ipv6';
export * from '../../../wire/layout/ndp';
export * from '../../../wire/layout/probe';
export * from '../../../wire/layout/tcp';
export * from '../../../wire/layout/udp';
export * from '../../../wire/layout/vxlan';
