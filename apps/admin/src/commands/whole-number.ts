import { InvalidArgumentError } from 'commander';

/** A parser of whole numbers for commander. */
export const wholeNumber =
  (what: string, min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`a whole number of ${what} from ${min} to ${max} is needed`);
    return value;
  };
