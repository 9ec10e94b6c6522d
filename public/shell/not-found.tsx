/** @module Where there is no page. */
import { Card } from "../components/card.tsx";

export function NotFound() {
  return (
    <Card title="Not found">
      <p class="text-muted">There is no page here. Choose one of the tabs above.</p>
    </Card>
  );
}
