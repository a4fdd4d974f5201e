import type { Job, Problem } from '../types';
import { ErrorNote } from '../ui/ErrorNote';
import { Remedies } from './Remedies';

interface Props {
  problem: Problem | null;
  job: Job | undefined;
  /** Whose job it is, where several are on the screen. */
  name?: string;
}

/** Why a job did not get to its end, and what would mend it. */
export function JobProblem({ problem, job, name }: Props) {
  return (
    problem && (
      <>
        <ErrorNote error={problem} />
        <Remedies job={job} name={name} />
      </>
    )
  );
}
