ALTER TABLE "workers" ADD COLUMN "about" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "accounts" ADD COLUMN "operates" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "session_of" uuid;--> statement-breakpoint
ALTER TABLE "images" ADD COLUMN "history" jsonb;--> statement-breakpoint
CREATE INDEX "builds_account_finished" ON "builds" USING btree ("account_id","finished_at") WHERE "builds"."finished_at" IS NOT NULL;