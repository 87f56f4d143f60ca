-- Reads the files once, into a table; from then on all views except `unreadable` use it.
CREATE OR REPLACE TABLE kept AS FROM lines;
CREATE OR REPLACE VIEW lines AS FROM kept;
