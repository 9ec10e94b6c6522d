/** @module Asks for the CONSOLE_TOKEN when a change is refused without it. */
import { useState } from "preact/hooks";
import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { Field } from "../components/field.tsx";
import { type TokenRequest, tokenRequest } from "../data/token.ts";

export function TokenDialog() {
  const request = tokenRequest.value;
  return request === null ? null : <Asking request={request} />;
}

function Asking({ request }: { readonly request: TokenRequest }) {
  const [token, setToken] = useState("");
  const text = token.trim();
  return (
    <Dialog title="This node wants its token" onCancel={() => request.answer(null)}>
      <form
        class="mt-3 space-y-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (text !== "") request.answer(text);
        }}
      >
        <Field
          label="CONSOLE_TOKEN"
          type="password"
          value={token}
          onChange={setToken}
          autoFocus
          error={request.refused && token === "" ? "The node refused the last one." : null}
          hint="Changes need it. It is kept until this tab is closed."
        />
        <div class="flex justify-end gap-2">
          <Button onPress={() => request.answer(null)}>Cancel</Button>
          <Button type="submit" tone="primary" disabled={text === ""}>
            Go on
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
