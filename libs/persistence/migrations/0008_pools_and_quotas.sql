DROP INDEX "builds_waiting";--> statement-breakpoint
ALTER TABLE "account_shares" ADD COLUMN "daily_max" integer;--> statement-breakpoint
ALTER TABLE "account_shares" ADD COLUMN "images_max" integer;--> statement-breakpoint
ALTER TABLE "builds" ADD COLUMN "pool" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "workers" ADD COLUMN "pool" text DEFAULT '' NOT NULL;--> statement-breakpoint
CREATE INDEX "builds_waiting" ON "builds" USING btree ("account_id","pool","lane","created_at","id") WHERE "builds"."state" = 'queued' AND "builds"."admitted_at" IS NULL;