// What went wrong, as the one who has to do something about it needs it: what happened, whose rule, what would be accepted,
// what to do.
import { Button } from "@mantine/core";
import { asProblem, whatToDo } from "~/api/problem";
import { Name } from "./Name";
import { StatusShape } from "./Status";
import "./problem.css";

interface ProblemPanelProps {
  readonly error: unknown;
  /** Offers to try again. */
  readonly onRetry?: (() => void) | undefined;
  readonly compact?: boolean;
}

export function ProblemPanel({ error, onRetry, compact = false }: ProblemPanelProps) {
  const problem = asProblem(error);
  const { title, detail, rule, source, accepted, request_id: request } = problem.problem;
  return (
    <section className={compact ? "problem problem-compact" : "problem"} role="alert">
      <h2 className="problem-title">
        <StatusShape tone="critical" size={14} /> {title}
      </h2>
      <dl className="problem-facts">
        <dt>What happened</dt>
        <dd><Name text={detail} most={2000} /></dd>
        {(rule || source) && (
          <>
            <dt>Whose rule</dt>
            <dd>
              {source && <Name text={source} />}
              {rule && <code className="problem-rule"><Name text={rule} /></code>}
            </dd>
          </>
        )}
        {accepted && (
          <>
            <dt>What would be accepted</dt>
            <dd><Name text={accepted} most={1000} /></dd>
          </>
        )}
        <dt>What to do</dt>
        <dd>{whatToDo(problem)}</dd>
        {request && !compact && (
          <>
            <dt>Request id</dt>
            <dd className="mono"><Name text={request} /></dd>
          </>
        )}
      </dl>
      {onRetry && (
        <Button variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </section>
  );
}
