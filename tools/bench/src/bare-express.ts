// What submissions are compared with: one Express route, one INSERT, nothing else. Runs as a process of its own.
import express from 'express';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 20 });
await pool.query('CREATE TABLE IF NOT EXISTS bare (id bigint GENERATED ALWAYS AS IDENTITY, body jsonb)');
const app = express();
app.use(express.json({ limit: '1mb' }));
app.post('/', async (req, res) => {
  const { rows } = await pool.query<{ id: string }>('INSERT INTO bare (body) VALUES ($1) RETURNING id', [
    JSON.stringify(req.body),
  ]);
  res.json({ id: rows[0]?.id });
});
app.listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('"ready"'));
