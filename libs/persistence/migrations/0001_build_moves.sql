-- The last word on a build's state: only the moves of the domain, and nothing once it has ended.
CREATE FUNCTION check_build_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.state, NEW.state) IN (
    ('queued', 'assigned'), ('queued', 'cancelling'), ('queued', 'cancelled'), ('queued', 'failed'), ('queued', 'expired'),
    ('assigned', 'queued'), ('assigned', 'running'), ('assigned', 'cancelling'), ('assigned', 'cancelled'), ('assigned', 'failed'), ('assigned', 'timed_out'),
    ('running', 'queued'), ('running', 'publishing'), ('running', 'cancelling'), ('running', 'cancelled'), ('running', 'failed'), ('running', 'timed_out'),
    ('publishing', 'queued'), ('publishing', 'registering'), ('publishing', 'cancelling'), ('publishing', 'cancelled'), ('publishing', 'failed'), ('publishing', 'timed_out'),
    ('registering', 'succeeded'), ('registering', 'cancelling'), ('registering', 'cancelled'), ('registering', 'failed'), ('registering', 'timed_out'),
    ('cancelling', 'cancelled')
  ) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'build % may not go from % to %', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER builds_check_move BEFORE UPDATE OF state ON builds
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_build_move();
