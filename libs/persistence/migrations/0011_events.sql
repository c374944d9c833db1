CREATE TABLE "event_marks" (
	"name" text PRIMARY KEY NOT NULL,
	"xact" "xid8" NOT NULL,
	"id" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"xact" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"key" uuid DEFAULT gen_random_uuid() NOT NULL,
	"account_id" text NOT NULL,
	"workspace_id" text NOT NULL,
	"user_id" text NOT NULL,
	"visibility" text NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"data" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "webhook_deliveries_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"webhook_id" text NOT NULL,
	"account_id" text NOT NULL,
	"event_id" bigint NOT NULL,
	"state" text DEFAULT 'waiting' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"log" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"url" text NOT NULL,
	"description" text NOT NULL,
	"types" text[] NOT NULL,
	"workspace_id" text,
	"enabled" boolean DEFAULT true NOT NULL,
	"stopped_because" text DEFAULT '' NOT NULL,
	"secret_sealed" text NOT NULL,
	"old_secret_sealed" text,
	"old_secret_until" timestamp (3) with time zone,
	"failing_since" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_id_webhooks_id_fk" FOREIGN KEY ("webhook_id") REFERENCES "public"."webhooks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_event_id_events_id_fk" FOREIGN KEY ("event_id") REFERENCES "public"."events"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhooks" ADD CONSTRAINT "webhooks_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_order" ON "events" USING btree ("xact","id");--> statement-breakpoint
CREATE INDEX "events_account" ON "events" USING btree ("account_id","xact","id");--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_deliveries_event" ON "webhook_deliveries" USING btree ("event_id","webhook_id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_webhook" ON "webhook_deliveries" USING btree ("webhook_id","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "webhook_deliveries" USING btree ("webhook_id","next_at") WHERE "webhook_deliveries"."state" = 'waiting';--> statement-breakpoint
CREATE INDEX "webhooks_account" ON "webhooks" USING btree ("account_id","created_at");--> statement-breakpoint
ALTER TABLE "events" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "webhooks" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY own_account ON "events"
  USING ((SELECT current_setting('kiln.account', true)) = '*' OR account_id = (SELECT current_setting('kiln.account', true)));--> statement-breakpoint
CREATE POLICY own_account ON "webhooks"
  USING ((SELECT current_setting('kiln.account', true)) = '*' OR account_id = (SELECT current_setting('kiln.account', true)));--> statement-breakpoint
CREATE POLICY own_account ON "webhook_deliveries"
  USING ((SELECT current_setting('kiln.account', true)) = '*' OR account_id = (SELECT current_setting('kiln.account', true)));--> statement-breakpoint
INSERT INTO event_marks (name, xact, id) VALUES ('webhooks', '0', 0), ('forgotten', '0', 0);--> statement-breakpoint
-- Every change of state tells its event, whoever makes it: in the same transaction, so that neither is there without the other.
CREATE FUNCTION tell_build_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO events (account_id, workspace_id, user_id, visibility, type, at, data)
  SELECT b.account_id, b.workspace_id, b.user_id, b.accessibility, 'build.' || NEW.state, NEW.at, jsonb_strip_nulls(jsonb_build_object(
    'ImageBuildId', b.id, 'ImageBuildJobId', b.job_id, 'WorkspaceId', b.workspace_id, 'UserId', b.user_id, 'ImageName', b.image_name,
    'ImageUri', b.host || '/' || b.repository || ':' || b.tag, 'State', NEW.state, 'Attempt', NEW.attempt, 'Message', left(NEW.message, 2000),
    'ImageId', (SELECT i.pai_id FROM images i WHERE i.id = b.image_id), 'Digest', b.digest, 'SizeInBytes', b.size_bytes,
    'Error', CASE WHEN b.error IS NOT NULL AND b.finished_at IS NOT NULL THEN jsonb_build_object(
      'Code', b.error->>'code', 'Class', b.error->>'class', 'Message', left(b.error->>'message', 2000), 'Reason', b.error->>'reason') END))
  FROM builds b WHERE b.id = NEW.build_id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER tell_build_event AFTER INSERT ON build_events FOR EACH ROW EXECUTE FUNCTION tell_build_event();
--> statement-breakpoint
CREATE FUNCTION tell_image_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO events (account_id, workspace_id, user_id, visibility, type, data)
  VALUES (NEW.account_id, NEW.workspace_id, NEW.user_id, NEW.visibility, 'image.' || lower(NEW.status), jsonb_strip_nulls(jsonb_build_object(
    'ImageId', NEW.pai_id, 'ModelArtsImageId', NEW.id, 'WorkspaceId', NEW.workspace_id, 'UserId', NEW.user_id, 'Name', NEW.name,
    'ImageUri', NEW.host || '/' || NEW.repository || ':' || NEW.tag, 'Status', NEW.status, 'StatusMessage', left(NEW.status_message, 2000),
    'Digest', NEW.digest, 'SizeInBytes', NEW.size_bytes, 'ImageBuildId', NEW.build_id)));
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER tell_image_event AFTER INSERT ON images FOR EACH ROW EXECUTE FUNCTION tell_image_event();--> statement-breakpoint
CREATE TRIGGER tell_image_change AFTER UPDATE OF status ON images FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION tell_image_event();
