// Sequences that move the cursor, set titles or talk to the terminal: CSI, then strings (OSC, DCS, APC, PM, SOS) with
// or without their end, then what else begins with an escape.
const sequences =
  /\x1b\[[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]?/g;
const colour = /^\x1b\[[0-9;:]*m$/;
// Tabs stay; so do the escapes of colours, which are put back. Marks that turn the direction of writing show text as it
// is not.
const controls = /[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A line that some program printed, safe to show on a terminal or a page: colours stay, everything else that acts goes.
 */
export const safeLine = (line: string): string =>
  line.replace(sequences, (it) => (colour.test(it) ? it : '')).replace(controls, '');
