ALTER TABLE "builds" ADD COLUMN "trace" text;--> statement-breakpoint
ALTER TABLE "outbox" ADD COLUMN "trace" text;