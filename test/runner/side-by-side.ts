/**
 * Runs all jobs, `atOnce` at a time: the first lane begins with those of `first`, the others with those of `then`, and who has no more of his own
 * helps. So short jobs that compute and long ones that wait share the processors from the start. A lane ends early when `run` resolves to false.
 */
export async function sideBySide<Job>(
  first: readonly Job[],
  then: readonly Job[],
  atOnce: number,
  run: (job: Job) => Promise<boolean>,
): Promise<void> {
  // The iterators are shared: each lane takes the next.
  const queues = [first.values(), then.values()];
  const lane = async (_: unknown, index: number): Promise<void> => {
    for (const queue of index === 0 ? queues : queues.toReversed()) {
      for (const job of queue) if (!(await run(job))) return;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
