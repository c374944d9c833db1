#!/usr/bin/env node
// The command from a checkout; what is given to others is the one file that it names.
import './dist/kiln.mjs';
