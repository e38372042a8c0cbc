import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

/** The header that the page sends with each request for data. A page of another origin cannot send it without CORS. */
const PAGE_HEADER = 'x-xpay-status';
/** Headers of a proxy. Behind a proxy, every client seems to be on this machine. */
const OF_PROXY =
  /^(?:forwarded|via|x-forwarded|x-forwarded-.+|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-connecting-ip)$/;

/**
 * Accepts a request only from the status page itself: it has the page's own header, and a POST has `Sec-Fetch-Site: same-origin`.
 * No page of another origin can send either of them.
 */
@Injectable()
export class FromStatusPage implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { method, headers } = requestOf(context);
    if (headers[PAGE_HEADER] !== '1') throw new ForbiddenException(`The header ${PAGE_HEADER}: 1 is missing`);
    if (method !== 'GET' && headers['sec-fetch-site'] !== 'same-origin') {
      throw new ForbiddenException('Only the status page may send this request, over HTTPS or on loopback');
    }
    return true;
  }
}

/**
 * Accepts only a bearer token. A browser repeats Basic credentials in every request to this app, even in a request that a page of
 * another origin causes. Only the page that has a bearer token sends the token.
 */
@Injectable()
export class ByBearer implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (/^bearer /i.test(requestOf(context).headers.authorization ?? '')) return true;
    throw new ForbiddenException('The status page needs a bearer token. Log in on the page.');
  }
}

/**
 * Accepts only requests of this machine: the connection comes from loopback, `Host` is loopback, and no header of a proxy is present.
 * `Host` matters because any web page can let its own host name point to 127.0.0.1 (DNS rebinding).
 */
@Injectable()
export class FromLoopback implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { socket, headers } = requestOf(context);
    const isDirect = !Object.keys(headers).some((name) => OF_PROXY.test(name));
    if (isDirect && isLoopbackAddress(socket.remoteAddress) && isLoopbackHost(headers.host)) return true;
    throw new ForbiddenException('In demo mode the status page is only for this machine');
  }
}

function isLoopbackAddress(address = ''): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);
}

function isLoopbackHost(host = ''): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}

/** The request of Node, which both platforms have. */
function requestOf(context: ExecutionContext): IncomingMessage {
  const request = context.switchToHttp().getRequest<IncomingMessage & { readonly raw?: IncomingMessage }>();
  return request.raw ?? request;
}
