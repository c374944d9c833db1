/** Stops the attempt: its build has been moved on by somebody else. */
export class StaleAttempt extends Error {}
