import unittest

from app import app


class HomePage(unittest.TestCase):
    def test_greets(self):
        answer = app.test_client().get("/")
        self.assertEqual(answer.status_code, 200)
        self.assertIn("Hello from Kiln", answer.text)
