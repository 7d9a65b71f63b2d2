/** Whom a verifier takes a token for, said shortly. */
import { openVerifier, type VerifyToken } from "../../auth/verify.ts";

/** The user's id, or `undefined` for a token that is unauthorized. */
export type UserOfToken = (token: string) => Promise<string | undefined>;

/** For tokens of this secret, of anyone. */
export async function verifierOf(secret: string): Promise<UserOfToken> {
  const verify = await openVerifier({ secret, allowed: [] });
  return async (token) => {
    const answer = await answerOf(verify, token);
    return answer === "unauthorized" ? undefined : answer;
  };
}

/** The user's id, or the word of the refusal. */
export async function answerOf(verify: VerifyToken, token: string): Promise<string> {
  const signIn = await verify(token);
  return signIn.ok ? signIn.user.id : signIn.refusal;
}
