/** Told of the processes that carry a build, so that somebody else can end them when this process cannot. */
export interface ProcessWatch {
  started(pid: number): void;
  ended(pid: number): void;
}
