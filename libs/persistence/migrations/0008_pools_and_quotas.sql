CREATE TABLE "account_turns" (
	"account_id" text NOT NULL,
	"pool" text NOT NULL,
	"finish_tag" double precision NOT NULL,
	CONSTRAINT "account_turns_account_id_pool_pk" PRIMARY KEY("account_id","pool")
);
--> statement-breakpoint
CREATE TABLE "pool_turns" (
	"pool" text PRIMARY KEY NOT NULL,
	"virtual_time" double precision NOT NULL
);
--> statement-breakpoint
DROP INDEX "builds_waiting";--> statement-breakpoint
ALTER TABLE "account_shares" ADD COLUMN "daily_max" integer;--> statement-breakpoint
ALTER TABLE "account_shares" ADD COLUMN "images_max" integer;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "pool" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "pool" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX "tallies_account" ON "tallies" USING btree ("account_id","list");--> statement-breakpoint
CREATE INDEX "builds_waiting" ON "builds" USING btree ("account_id","pool","lane","created_at","id") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NULL;--> statement-breakpoint
ALTER TABLE account_turns ENABLE ROW LEVEL SECURITY;--> statement-breakpoint
CREATE POLICY own_account ON account_turns USING ((SELECT current_setting('kiln.account', true)) = '*' OR account_id = (SELECT current_setting('kiln.account', true)));
