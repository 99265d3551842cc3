import { execInNetns } from './netns.ts';

/** Switches features of a device, by the names that ethtool -K takes. Throws WeftError LAB_COMMAND_FAILED or TOOL_MISSING. */
export async function setFeatures(
  netns: string,
  device: string,
  features: readonly string[],
  state: 'on' | 'off',
): Promise<void> {
  if (features.length === 0) return;
  await execInNetns(netns, ['ethtool', '-K', device, ...features.flatMap((feature) => [feature, state])]);
}
